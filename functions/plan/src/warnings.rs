//! What a person should know and may well want.

use bakery::ids::{KeyArn, OrganizationArn, PrincipalArn};
use bakery::plan::Delivery;
use bakery::request::Reboot;
use serde_json::json;
use std::collections::BTreeSet;

pub fn of(reboot: Reboot, deliveries: &[Delivery], keys: &BTreeSet<KeyArn>) -> Vec<String> {
    let reboot = match reboot {
        Reboot::Create | Reboot::First => None,
        Reboot::None => Some(
            "Reboot is None: the instance stays up, and its snapshots are crash-consistent only; what was not yet \
             written to its volumes is missing from the image"
                .to_owned(),
        ),
    };
    let organizations: BTreeSet<_> = deliveries.iter().filter_map(|to| to.organization_arn.as_ref()).collect();
    let organizations = organizations.into_iter().filter(|_| !keys.is_empty()).map(|arn| needs_key_policy(arn, keys));
    let launchers = deliveries.iter().filter(|_| !keys.is_empty()).filter_map(|to| needs_own_permission(to, keys));
    let launchers: BTreeSet<_> = launchers.collect();
    reboot.into_iter().chain(organizations).chain(launchers).collect()
}

/// A grant by the key's owner is of use to another account's principal only as far as that account lets it, too; IAM
/// shows nobody else whether it does. Auto Scaling needs nothing: the grant to it is made in its own account.
/// (Recorded on AWS in 2026.)
fn needs_own_permission(to: &Delivery, keys: &BTreeSet<KeyArn>) -> Option<String> {
    let grantees = to.grantees.iter().filter(|grantee| !grantee.is_service_linked());
    let grantees: Vec<_> = grantees.map(PrincipalArn::as_str).collect();
    if grantees.is_empty() {
        return None;
    }
    let keys: Vec<_> = keys.iter().map(KeyArn::as_str).collect();
    Some(format!(
        "{} can launch only as far as IAM in account {} allows it, too, which cannot be seen from here: policies and          permissions boundaries there must allow {} on {}",
        grantees.join(", "),
        to.account_id,
        NEEDED_TO_LAUNCH.join(", "),
        keys.join(", ")
    ))
}

/// <https://docs.aws.amazon.com/ebs/latest/userguide/ebs-modifying-snapshot-permissions.html#share-kms-key>
const NEEDED_TO_LAUNCH: [&str; 5] =
    ["kms:DescribeKey", "kms:CreateGrant", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*"];

/// A grant cannot name an organization, so the policy of the keys has to let its members in.
/// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/share-amis-with-organizations-and-OUs.html>
fn needs_key_policy(arn: &OrganizationArn, keys: &BTreeSet<KeyArn>) -> String {
    let member = match arn.ids() {
        (organization, None) => json!({"StringEquals": {"aws:PrincipalOrgID": organization}}),
        (organization, Some(unit)) => {
            json!({"ForAnyValue:StringLike": {"aws:PrincipalOrgPaths": format!("{organization}/*/{unit}/*")}})
        }
    };
    let mut for_aws_only = member.clone();
    for_aws_only["Bool"] = json!({"kms:GrantIsForAWSResource": "true"});
    let statement = |actions: &[&str], condition| {
        json!({
            "Effect": "Allow", "Principal": {"AWS": "*"}, "Action": actions, "Resource": "*", "Condition": condition,
        })
    };
    let use_key = ["kms:DescribeKey", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKeyWithoutPlaintext"];
    let keys: Vec<_> = keys.iter().map(KeyArn::as_str).collect();
    format!(
        "{arn} can launch only if the key policy lets its members use the key, since a grant cannot name an \
         organization; the policy of {} needs: {}, {}",
        keys.join(" and of "),
        statement(&use_key, member),
        statement(&["kms:CreateGrant"], for_aws_only)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use bakery::plan::Route;

    fn to(arn: &str) -> Delivery {
        let arn = OrganizationArn::try_from(arn).expect("an ARN");
        let region = "us-east-1".try_into().expect("a Region");
        let to = Delivery::new(0, arn.management_account(), region, Route::ShareOnly);
        Delivery { organization_arn: Some(arn), ..to }
    }

    #[test]
    fn an_organization_needs_the_key_s_policy() {
        let key = KeyArn::try_from("arn:aws:kms:us-east-1:111111111111:key/1").expect("a key");
        let organization = to("arn:aws:organizations::999999999999:organization/o-0123456789");
        let unit = to("arn:aws:organizations::999999999999:ou/o-0123456789/ou-abcd-01234567");
        let said = of(Reboot::Create, &[organization, unit], &BTreeSet::from([key.clone()]));
        assert!(
            said[0].contains(r#""aws:PrincipalOrgID":"o-0123456789""#) && said[0].contains(key.as_str()),
            "{said:?}"
        );
        assert!(said[1].contains("o-0123456789/*/ou-abcd-01234567/*"), "{said:?}");
        assert!(said.iter().all(|text| text.contains("kms:GrantIsForAWSResource")));
    }

    #[test]
    fn who_launches_needs_permission_of_its_own_account_and_auto_scaling_does_not() {
        let key = BTreeSet::from([KeyArn::try_from("arn:aws:kms:us-east-1:111111111111:key/1").expect("a key")]);
        let role =
            |name: &str| PrincipalArn::try_from(format!("arn:aws:iam::222222222222:role/{name}")).expect("an ARN");
        let of_group = role("aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling");
        let to = |grantees| {
            let account = "222222222222".try_into().expect("an account");
            let to = Delivery::new(0, account, "us-east-1".try_into().expect("a Region"), Route::ShareOnly);
            [Delivery { grantees, ..to }]
        };
        let said = of(Reboot::Create, &to(vec![role("launcher"), of_group.clone()]), &key);
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(said[0].contains("role/launcher") && !said[0].contains("AutoScaling"), "{said:?}");
        assert!(said[0].contains("kms:CreateGrant") && said[0].contains("key/1"), "{said:?}");
        assert!(of(Reboot::Create, &to(vec![of_group]), &key).is_empty());
        assert!(of(Reboot::Create, &to(vec![role("launcher")]), &BTreeSet::new()).is_empty(), "there is no key");
    }

    #[test]
    fn without_a_key_there_is_nothing_to_let_anyone_into() {
        let organization = to("arn:aws:organizations::999999999999:organization/o-0123456789");
        assert!(of(Reboot::Create, &[organization], &BTreeSet::new()).is_empty());
    }
}
