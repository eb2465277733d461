#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    bakery::run(reboot_and_create::Clients::new, reboot_and_create::handle).await
}
