#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    bakery::run(sweep::Clients::new, sweep::handle).await
}
