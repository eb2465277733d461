#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    bakery::run(start::Clients::new, start::handle).await
}
