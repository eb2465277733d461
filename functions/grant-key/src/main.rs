#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    bakery::run(grant_key::Clients::new, grant_key::handle).await
}
