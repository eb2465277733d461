#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    bakery::run(launch::Clients::new, launch::handle).await
}
