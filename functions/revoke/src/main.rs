#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    bakery::run(revoke::Clients::new, revoke::handle).await
}
