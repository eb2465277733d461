# An image of one volume, copied to other Regions and shared privately in each: what Packer has of a bake.

variable "endpoint" { type = string }
variable "name" { type = string }
variable "source" { type = string }
variable "gib" { type = number }
variable "regions" { type = list(string) }
variable "accounts" { type = list(string) }

source "amazon-ebs" "shared" {
  custom_endpoint_ec2         = var.endpoint
  skip_region_validation      = true
  skip_metadata_api_check     = true
  skip_credential_validation  = true
  region                      = "us-east-1"
  source_ami                  = var.source
  instance_type               = "t2.micro"
  communicator                = "none"
  ami_name                    = var.name
  ami_regions                 = var.regions
  ami_users                   = var.accounts
  snapshot_users              = var.accounts

  launch_block_device_mappings {
    device_name           = "/dev/xvda"
    volume_size           = var.gib
    delete_on_termination = true
  }
}

build {
  sources = ["source.amazon-ebs.shared"]
}
