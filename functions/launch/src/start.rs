//! Launching it.

use crate::instance_type::{Boots, candidates};
use crate::{Output, ThisInstance};
use aws_sdk_ec2::types::{
    ArchitectureValues, BlockDeviceMapping, EbsBlockDevice, HttpTokensState, IamInstanceProfileSpecification, Image,
    InstanceMetadataOptionsRequest, InstanceNetworkInterfaceSpecification, ResourceType, ShutdownBehavior,
    VirtualizationType,
};
use bakery::grants::have_arrived;
use bakery::images::{is_windows, known, tags_on};
use bakery::plan::Relaunch;
use bakery::{Context, ErrorKind, StepError, key_errors, names};

/// A look is first worth while when the status checks may have run: they do so every minute.
const BOOT_SECONDS: u64 = 45;

/// These of EC2's codes speak of the instance type, here and now.
/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html>
const NOT_THIS_TYPE: [&str; 5] = [
    "InsufficientInstanceCapacity",
    "Unsupported",
    "UnsupportedOperation",
    "InstanceLimitExceeded",
    "VcpuLimitExceeded",
];

impl ThisInstance<'_> {
    /// One instance type a call: repeated, it is the same call to EC2, and its token gives the same instance.
    pub(crate) async fn launch(&self) -> Result<Output, StepError> {
        let source = &self.input.source;
        let image = self.image().await?;
        let relaunch = self.input.delivery.relaunch.clone().unwrap_or_default();
        let types = candidates(&boots(&image), relaunch.instance_type.as_ref());
        let tried = self.input.last.as_ref().map_or(0, |last| last.tried);
        let Some(instance_type) = types.get(tried) else {
            return self.error(
                ErrorKind::InvalidRequest,
                format!("no instance type is known that boots {}; name one as InstanceType.", source.image_id),
            );
        };
        have_arrived(&self.clients.kms, &source.kms_key_ids, self.place, self.input.now).await?;
        let answer = self.run(&image, &relaunch, instance_type).await;
        let refused = |error: &StepError| NOT_THIS_TYPE.iter().any(|code| error.is(code)) || lacks_drivers(error);
        match answer {
            Ok(instance_id) => Ok(Output::Pending { instance_id, check_after_seconds: BOOT_SECONDS, sealing: None }),
            Err(error) if refused(&error) && tried + 1 < types.len() => {
                Ok(Output::NotThisType { tried: tried + 1, reason: error.message })
            }
            Err(mut error) if refused(&error) => {
                error.message = format!(
                    "None of {} could be launched; name another InstanceType or SubnetId, or start the bake again \
                     later. {}",
                    types.join(", "),
                    error.message
                );
                Err(error)
            }
            Err(mut error) if error.is("OptInRequired") => {
                error.message = format!(
                    "Account {} is not subscribed to the AWS Marketplace product of {}; accept its terms there, and \
                     start the bake again. {}",
                    self.place.account_id, source.image_id, error.message
                );
                Err(error)
            }
            Err(mut error) if error.is("VPCIdNotSpecified") || error.is("MissingInput") => {
                error.message = format!("{} has no default VPC; name a SubnetId. {}", self.place, error.message);
                Err(error)
            }
            Err(error) if key_errors::refused_a_call(&error) => Err(error.and(&self.key_advice())),
            // The image is shared, as the owner has read back; the receiver may see it a moment later.
            Err(error) if error.is("AuthFailure") => Err(error.as_kind(ErrorKind::NotVisibleYet)),
            Err(error) => Err(error),
        }
    }

    async fn image(&self) -> Result<Image, StepError> {
        let id = &self.input.source.image_id;
        let answer = self.ec2.describe_images().image_ids(id.as_str()).send().await;
        let found = answer.doing("ec2:DescribeImages", id, self.place)?;
        match found.images() {
            [image, ..] => Ok(image.clone()),
            [] => self.error(ErrorKind::NotVisibleYet, format!("the shared image {id} cannot be seen.")),
        }
    }

    /// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_RunInstances.html>
    async fn run(
        &self,
        image: &Image,
        relaunch: &Relaunch,
        instance_type: &str,
    ) -> Result<bakery::ids::InstanceId, StepError> {
        let Self { input, clients, .. } = self;
        let (source, run) = (&input.source.image_id, &input.run.name);
        let Some(key) = &input.delivery.kms_key_id else {
            return Err(StepError::new(ErrorKind::InvalidRequest, "Delivery.KmsKeyId is missing."));
        };
        let token = names::launch_token(&clients.stack, self.id, run, input.attempt, source, key, instance_type);
        let mut tags = names::delivery_tags(&clients.stack, &input.bake, self.id, run, input.attempt);
        tags.insert("Name".to_owned(), format!("AMI Bakery, temporary: {}", input.bake.image_name));
        // Nothing reaches it from outside, and no one is to log in.
        let interface = InstanceNetworkInterfaceSpecification::builder()
            .device_index(0)
            .associate_public_ip_address(false)
            .delete_on_termination(true)
            .set_subnet_id(relaunch.subnet_id.as_ref().map(|subnet| subnet.as_str().to_owned()))
            .set_groups(
                (!relaunch.security_group_ids.is_empty())
                    .then(|| relaunch.security_group_ids.iter().map(|group| group.as_str().to_owned()).collect()),
            );
        let profile = relaunch
            .instance_profile
            .as_ref()
            .map(|profile| IamInstanceProfileSpecification::builder().name(profile.as_str()).build());
        let answer = self
            .ec2
            .run_instances()
            .image_id(source.as_str())
            .instance_type(instance_type.into())
            .min_count(1)
            .max_count(1)
            .client_token(token)
            .set_block_device_mappings(Some(encrypted(image, key.as_str())))
            .network_interfaces(interface.build())
            .metadata_options(InstanceMetadataOptionsRequest::builder().http_tokens(HttpTokensState::Required).build())
            // A sealed instance shuts itself down, and is then to be imaged.
            .instance_initiated_shutdown_behavior(ShutdownBehavior::Stop)
            .set_iam_instance_profile(profile)
            .set_tag_specifications(Some(tags_on([ResourceType::Instance, ResourceType::Volume], &tags)))
            .send()
            .await
            .doing("ec2:RunInstances", format!("{source} as {instance_type}"), self.place)?;
        known(answer.instances().first().and_then(|instance| instance.instance_id()))
    }
}

/// The image has no driver for the network of a newer type. EC2 has no code of its own for it, only this text.
/// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/enhanced-networking-ena.html>
fn lacks_drivers(error: &StepError) -> bool {
    error.is("InvalidParameterCombination") && error.message.contains("Elastic Network Adapter")
}

fn boots(image: &Image) -> Boots {
    Boots {
        architecture: image.architecture().cloned().unwrap_or(ArchitectureValues::X8664),
        virtualization: image.virtualization_type().cloned().unwrap_or(VirtualizationType::Hvm),
        is_windows: is_windows(image.platform()),
    }
}

/// Every volume of the image under the receiver's key, so that all that is made of it is.
fn encrypted(image: &Image, key: &str) -> Vec<BlockDeviceMapping> {
    let of_snapshots = image.block_device_mappings().iter().filter(|mapping| mapping.ebs().is_some());
    let under_key = |mapping: &BlockDeviceMapping| {
        let ebs = EbsBlockDevice::builder().encrypted(true).kms_key_id(key).delete_on_termination(true).build();
        BlockDeviceMapping::builder().set_device_name(mapping.device_name().map(str::to_owned)).ebs(ebs).build()
    };
    of_snapshots.map(under_key).collect()
}
