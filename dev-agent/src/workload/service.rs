//! The gRPC service `SpiffeWorkloadAPI` (it has no package), as `protoc` would generate it, for one implementation.

use std::convert::Infallible;
use std::future::ready;
use std::task::{Context, Poll};

use futures::future::{BoxFuture, FutureExt};
use tonic::Status;
use tonic::body::Body;
use tonic::codegen::{Service, http};
use tonic::server::{Grpc, NamedService};
use tonic_prost::ProstCodec;
use tower::service_fn;

use super::WorkloadApi;

/// The security header; its value is `true`.
pub(crate) const HEADER: &str = "workload.spiffe.io";
/// The path of the method that streams X.509-SVIDs.
pub(crate) const FETCH_X509_SVID: &str = "/SpiffeWorkloadAPI/FetchX509SVID";

impl NamedService for WorkloadApi {
    const NAME: &'static str = "SpiffeWorkloadAPI";
}

impl Service<http::Request<Body>> for WorkloadApi {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let api = self.clone();
        async move { Ok(api.dispatch(request).await) }.boxed()
    }
}

impl WorkloadApi {
    async fn dispatch(self, request: http::Request<Body>) -> http::Response<Body> {
        if request.headers().get(HEADER).is_none_or(|value| value != "true") {
            return Status::invalid_argument("security header missing from request").into_http();
        }
        let api = self;
        match request.uri().path() {
            FETCH_X509_SVID => {
                let method = service_fn(move |request| ready(api.fetch_x509_svid(&request)));
                Grpc::new(ProstCodec::default()).server_streaming(method, request).await
            }
            "/SpiffeWorkloadAPI/FetchX509Bundles" => {
                let method = service_fn(move |request| ready(api.fetch_x509_bundles(&request)));
                Grpc::new(ProstCodec::default()).server_streaming(method, request).await
            }
            "/SpiffeWorkloadAPI/FetchJWTSVID" => {
                let method = service_fn(move |request| ready(api.fetch_jwt_svid(request)));
                Grpc::new(ProstCodec::default()).unary(method, request).await
            }
            "/SpiffeWorkloadAPI/FetchJWTBundles" => {
                let method = service_fn(move |request| ready(api.fetch_jwt_bundles(&request)));
                Grpc::new(ProstCodec::default()).server_streaming(method, request).await
            }
            "/SpiffeWorkloadAPI/ValidateJWTSVID" => {
                let method = service_fn(move |request| ready(api.validate_jwt_svid(request)));
                Grpc::new(ProstCodec::default()).unary(method, request).await
            }
            _ => Status::unimplemented("no such method").into_http(),
        }
    }
}
