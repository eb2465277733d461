#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    bakery::run(wait_snapshots::Clients::new, wait_snapshots::handle).await
}
