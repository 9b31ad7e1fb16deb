//! The floor: a tonic server that decodes the whole `CheckRequest` and always allows. What an authoriser in this stack
//! costs before it decides anything.
use std::process::ExitCode;

use envoy_types::ext_authz::v3::pb::{Authorization, AuthorizationServer, CheckRequest, CheckResponse};
use envoy_types::pb::google::rpc;
use tokio::net::UnixListener;
use tokio_stream::wrappers::UnixListenerStream;
use tonic::{Request, Response, Status};

struct Floor;

#[tonic::async_trait]
impl Authorization for Floor {
    async fn check(&self, request: Request<CheckRequest>) -> Result<Response<CheckResponse>, Status> {
        // Not optimised away: the decoded message is looked at.
        let known = request.get_ref().attributes.is_some();
        let status = rpc::Status {
            code: i32::from(!known),
            ..rpc::Status::default()
        };
        Ok(Response::new(CheckResponse {
            status: Some(status),
            ..CheckResponse::default()
        }))
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let Some(socket) = std::env::args_os().nth(1) else {
        return ExitCode::from(64);
    };
    let Ok(listener) = UnixListener::bind(&socket) else {
        return ExitCode::from(69);
    };
    let served = tonic::transport::Server::builder()
        .max_concurrent_streams(4096)
        .add_service(AuthorizationServer::new(Floor))
        .serve_with_incoming(UnixListenerStream::new(listener))
        .await;
    if served.is_ok() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(70)
    }
}
