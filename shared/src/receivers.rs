//! Whom a request names, and how each is to get the image.

use crate::form::{Form, Problems};
use crate::ids::{AccountId, Holder, OrganizationArn, PrincipalArn, Region};
use crate::plan::Relaunch;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// The key that is used where the request names none, in the owner's and in the receivers' accounts.
pub const DEFAULT_KEY: &str = "alias/ami-bakery";

/// Instead of, or beside, `Receivers`: the key of an object in the stack's bucket with the list. When a request is
/// parsed the list itself has taken its place.
pub const RECEIVERS_FROM: &str = "ReceiversFrom";

/// How a receiver is to get the image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum WantedRoute {
    /// What AWS allows for this image.
    #[default]
    Auto,
    /// The receiver copies the shared image and encrypts it under its own key.
    Copy,
    /// The receiver launches an instance from the shared image, and makes an image of that under its own key.
    Relaunch,
    /// The image is shared to stay, and the owner's keys are opened to whoever launches from it.
    ShareOnly,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Receiver {
    /// Where the request names it, for problems found later.
    pub field: String,
    /// Of an organization or organizational unit, the account that manages it.
    pub account_id: AccountId,
    pub organization_arn: Option<OrganizationArn>,
    pub route: WantedRoute,
    /// Who launches from an image that is only shared; empty for all of the account.
    pub grantees: Vec<PrincipalArn>,
    /// How an instance is launched there, where that is the way.
    pub relaunch: Relaunch,
    /// None: the bake's own Region.
    pub regions: Option<Vec<Region>>,
    /// A key of the receiver: an id, an ARN or an alias in each of the Regions.
    pub kms_key_id: String,
}

/// All receivers of a request; what is wrong with them is among its problems.
pub fn receivers(form: &mut Form) -> Vec<Receiver> {
    let given: Vec<_> = ["Receivers", RECEIVERS_FROM]
        .into_iter()
        .filter_map(|name| Some((name, form.take_raw::<Value>(name)?)))
        .collect();
    // A list that could not be read is a problem already.
    if given.is_empty() && form.problems().iter().all(|problem| problem.field != RECEIVERS_FROM) {
        let rule = "required: name at least one receiver, such as {\"AccountId\": \"222222222222\"}";
        form.problem("Receivers", None, rule);
    }
    let mut receivers = Vec::new();
    for (name, value) in given {
        let Value::Array(items) = value else {
            form.problem(name, Some(value), "must be a list of receivers");
            continue;
        };
        if items.is_empty() {
            form.problem(name, Some(json!([])), "name at least one receiver");
        }
        let read = |(n, item)| receiver(&format!("{name}[{n}]"), item, form.problems());
        receivers.extend(items.into_iter().enumerate().filter_map(read));
    }
    receivers
}

pub(crate) fn receiver(field: &str, value: Value, problems: &mut Problems) -> Option<Receiver> {
    let mut form = Form::open(field, value, problems)?;
    let route = form.take("Route").unwrap_or_default();
    let holder = holder(&mut form);
    let organization_arn = holder.as_ref().and_then(Holder::organization);
    if let Some(organization) = organization_arn.as_ref().filter(|_| route != WantedRoute::ShareOnly) {
        let rule = "an organization cannot copy, as snapshots are shared with accounts only; name Route ShareOnly, or \
                    each account that is to have a copy";
        form.problem(organization_field(organization), Some(json!(organization)), rule);
    }
    let grantees: Vec<PrincipalArn> = grantees(&mut form, route, holder.as_ref());
    let relaunch = relaunch(&mut form, route);
    let regions: Option<Vec<Region>> = form.take("Regions");
    if regions.as_ref().is_some_and(Vec::is_empty) {
        form.problem("Regions", Some(json!([])), "name at least one Region, or leave the field out for the bake's own");
    }
    let kms_key_id = form.take::<String>("KmsKeyId");
    if let Some(key) = kms_key_id.as_ref().filter(|_| route == WantedRoute::ShareOnly) {
        form.problem(
            "KmsKeyId",
            Some(json!(key)),
            "with Route ShareOnly nothing is copied, and no key of the receiver is used",
        );
    }
    form.close();
    let holder = holder?;
    let account_id =
        organization_arn.as_ref().map_or_else(|| holder.account(), |arn| Some(arn.management_account()))?;
    let kms_key_id = kms_key_id.unwrap_or_else(|| DEFAULT_KEY.to_owned());
    let field = field.to_owned();
    Some(Receiver { field, account_id, organization_arn, route, grantees, relaunch, regions, kms_key_id })
}

/// How a temporary instance is launched, as far as the request says.
fn relaunch(form: &mut Form, route: WantedRoute) -> Relaunch {
    const FIELDS: [&str; 5] = ["SubnetId", "SecurityGroupIds", "InstanceType", "InstanceProfile", "SealDocument"];
    let launches = match route {
        WantedRoute::Auto | WantedRoute::Relaunch => true,
        WantedRoute::Copy | WantedRoute::ShareOnly => false,
    };
    if !launches {
        for name in FIELDS {
            if let Some(value) = form.take_raw::<Value>(name) {
                form.problem(name, Some(value), "only with Route Auto or Relaunch: no instance is launched otherwise");
            }
        }
        return Relaunch::default();
    }
    let relaunch = Relaunch {
        subnet_id: form.take(FIELDS[0]),
        security_group_ids: form.take(FIELDS[1]).unwrap_or_default(),
        instance_type: form.take(FIELDS[2]),
        instance_profile: form.take(FIELDS[3]),
        seal_document: form.take(FIELDS[4]),
    };
    if let Some(document) = &relaunch.seal_document {
        let why = format!("required with SealDocument = {document}: SSM reaches the instance through it");
        if relaunch.instance_profile.is_none() {
            form.problem("InstanceProfile", None, &why);
        }
        if relaunch.subnet_id.is_none() {
            form.problem("SubnetId", None, why);
        }
    }
    relaunch
}

pub(crate) const HOLDERS: [&str; 3] = ["AccountId", "OrganizationArn", "OrganizationalUnitArn"];

/// The account, organization or organizational unit that a receiver is.
pub(crate) fn holder(form: &mut Form) -> Option<Holder> {
    let given = [
        (HOLDERS[0], form.take_raw::<AccountId>(HOLDERS[0])),
        (HOLDERS[1], form.take_raw::<OrganizationArn>(HOLDERS[1])),
        (HOLDERS[2], form.take_raw::<OrganizationArn>(HOLDERS[2])),
    ];
    let given: Vec<_> = given.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
    match given.as_slice() {
        [] => {
            form.problem("AccountId", None, "required: the receiver's account, 12 digits");
            None
        }
        [(name, value)] => {
            let parsed = match *name {
                "AccountId" => AccountId::deserialize(value).map(Holder::from),
                _ => OrganizationArn::deserialize(value).map(Holder::from),
            };
            let parsed = parsed.map_err(|error| error.to_string()).and_then(|holder| match holder.organization() {
                Some(arn) if organization_field(&arn) != *name => {
                    Err(format!("this is an {}", organization_field(&arn)))
                }
                Some(_) | None => Ok(holder),
            });
            parsed.map_err(|rule| form.problem(name, Some(value.clone()), rule)).ok()
        }
        several => {
            for (name, value) in several {
                form.problem(
                    name,
                    Some(value.clone()),
                    "give exactly one of AccountId, OrganizationArn and OrganizationalUnitArn",
                );
            }
            None
        }
    }
}

fn organization_field(arn: &OrganizationArn) -> &'static str {
    if arn.ids().1.is_some() { HOLDERS[2] } else { HOLDERS[1] }
}

/// Whom a standing grant is for: principals of the receiver's own account.
fn grantees(form: &mut Form, route: WantedRoute, holder: Option<&Holder>) -> Vec<PrincipalArn> {
    let Some(grantees) = form.take::<Vec<PrincipalArn>>("Grantees") else { return Vec::new() };
    let account = holder.and_then(Holder::account);
    let rule = match (route, holder, &account) {
        (WantedRoute::Auto | WantedRoute::Copy | WantedRoute::Relaunch, ..) => {
            Some("only with Route ShareOnly: a copy needs no grant to stay")
        }
        (WantedRoute::ShareOnly, Some(_), None) => Some(
            "a grant cannot name an organization's members; the owner's key policy lets them in, see the plan's warning",
        ),
        (WantedRoute::ShareOnly, ..) if grantees.is_empty() => {
            Some("name at least one, or leave it out for all of the account")
        }
        (WantedRoute::ShareOnly, ..) => None,
    };
    if let Some(rule) = rule {
        form.problem("Grantees", Some(json!(grantees)), rule);
    }
    for (n, grantee) in grantees.iter().enumerate() {
        if account.as_ref().is_some_and(|account| grantee.account() != account.as_str()) {
            form.problem(
                &format!("Grantees[{n}]"),
                Some(json!(grantee)),
                "belongs to another account than the receiver's",
            );
        }
        if grantee.is_service_linked() && !grantee.is_of_auto_scaling() {
            let rule =
                "is a service-linked role, which the owner's grant does not help; only Auto Scaling's can be let in";
            form.problem(&format!("Grantees[{n}]"), Some(json!(grantee)), rule);
        }
    }
    grantees
}
