//! The requests: every route with every kind of failure, then what each route does, in one order for both servers.
mod cipher;
mod fields;
mod generic;
mod operator;
mod policies;
mod routes;
mod secrets;
mod transport;

use anyhow::Result;

use crate::compare::{Pasts, compare};
use crate::differences::Differences;
use crate::field::Field;

/// Everything that an open server is asked. Returns the number of requests.
pub(crate) async fn open(field: &Field, book: (&mut Pasts, &mut Differences)) -> Result<usize> {
    let steps = [
        generic::steps(),
        fields::steps(),
        transport::steps(),
        secrets::steps(),
        policies::steps(),
        cipher::steps(),
        operator::steps(),
        transport::too_large(),
    ]
    .concat();
    compare(field, &steps, book).await
}

/// What a server is asked that has lost its root key, until the shares that it gave in [`open`] have brought it back.
pub(crate) async fn sealed(field: &Field, book: (&mut Pasts, &mut Differences)) -> Result<usize> {
    compare(field, &operator::sealed_steps(), book).await
}

/// What a server is asked that has lost its root key, and is given shares that somebody made up.
pub(crate) async fn deceived(field: &Field, book: (&mut Pasts, &mut Differences)) -> Result<usize> {
    compare(field, &operator::deceived_steps(), book).await
}
