//! Which instance types can boot an image, the smallest first: what is launched only to be imaged needs no more.

use aws_sdk_ec2::types::{ArchitectureValues, VirtualizationType};
use bakery::ids::InstanceTypeName;

/// What of an image decides what it boots on.
#[derive(Clone, Debug)]
pub struct Boots {
    pub architecture: ArchitectureValues,
    pub virtualization: VirtualizationType,
    pub is_windows: bool,
}

/// Windows wants 4 GiB to boot and to be sealed in; Linux is content with 2. The older families last: they boot what
/// has no drivers for Nitro. <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instance-types.html>
pub fn candidates(boots: &Boots, wanted: Option<&InstanceTypeName>) -> Vec<String> {
    let types: &[&str] = match (&boots.architecture, &boots.virtualization) {
        (_, VirtualizationType::Paravirtual) => &["m3.medium", "c3.large", "m3.large"],
        (ArchitectureValues::Arm64, _) => &["t4g.small", "m6g.medium", "m7g.medium", "c6g.medium", "m6g.large"],
        (ArchitectureValues::I386, _) => &["t2.small", "t2.medium", "c3.large"],
        (ArchitectureValues::X8664, _) if boots.is_windows => {
            &["t3.medium", "t3a.medium", "m5.large", "m6i.large", "t2.medium", "m4.large"]
        }
        (ArchitectureValues::X8664, _) => &["t3.small", "t3a.small", "m5.large", "m6i.large", "t2.small", "m4.large"],
        // An Apple image boots on a dedicated host only, which is nothing to be had for an hour.
        _ => &[],
    };
    let wanted = wanted.map(|wanted| wanted.as_str());
    let others = types.iter().copied().filter(|other| Some(*other) != wanted);
    wanted.into_iter().chain(others).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(architecture: ArchitectureValues, virtualization: VirtualizationType, is_windows: bool) -> Vec<String> {
        candidates(&Boots { architecture, virtualization, is_windows }, None)
    }

    #[test]
    fn the_architecture_decides() {
        assert_eq!(of(ArchitectureValues::Arm64, VirtualizationType::Hvm, false)[0], "t4g.small");
        assert_eq!(of(ArchitectureValues::X8664, VirtualizationType::Hvm, false)[0], "t3.small");
        assert_eq!(of(ArchitectureValues::X8664, VirtualizationType::Hvm, true)[0], "t3.medium");
        assert_eq!(of(ArchitectureValues::X8664, VirtualizationType::Paravirtual, false)[0], "m3.medium");
        assert!(of(ArchitectureValues::Arm64Mac, VirtualizationType::Hvm, false).is_empty());
    }

    #[test]
    fn what_was_asked_for_is_tried_first_and_once() {
        let boots = Boots {
            architecture: ArchitectureValues::X8664,
            virtualization: VirtualizationType::Hvm,
            is_windows: false,
        };
        let wanted = InstanceTypeName::try_from("m5.large").expect("a type");
        let types = candidates(&boots, Some(&wanted));
        assert_eq!(types[..2], ["m5.large", "t3.small"]);
        assert_eq!(types.iter().filter(|one| *one == "m5.large").count(), 1);
    }
}
