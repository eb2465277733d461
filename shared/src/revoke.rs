//! A request that takes back what stands: permissions and grants that AMI Bakery gave to stay.

use crate::form::{Form, Problems};
use crate::ids::{BakeId, Holder, ImageId};
use crate::receivers::holder;
use crate::request::SCHEMA;
use serde_json::Value;

/// The field of a request that takes back what stands.
pub const REVOKE: &str = "Revoke";

/// The field of a request that asks what is open.
pub const AUDIT: &str = "Audit";

/// What stands is to be taken back.
#[derive(Clone, Debug, PartialEq)]
pub struct Revoke {
    pub of: RevokeOf,
    pub receivers: Vec<Holder>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum RevokeOf {
    Bake(BakeId),
    /// The golden image, wherever its hops are.
    Image(ImageId),
}

impl Revoke {
    /// A request that has the field `Revoke`, and nothing else beside it.
    pub fn parse(value: Value, problems: &mut Problems) -> Option<Self> {
        let mut form = Form::open("", value, problems)?;
        form.take_raw::<String>(SCHEMA);
        let revoke = form.take_raw::<Value>(REVOKE)?;
        form.close();
        let mut form = Form::open(REVOKE, revoke, problems)?;
        let (bake, image) = (form.take("BakeId").map(RevokeOf::Bake), form.take("ImageId").map(RevokeOf::Image));
        if bake.is_some() == image.is_some() {
            form.problem("BakeId", None, "give exactly one of BakeId and ImageId");
        }
        let listed = form.take_raw::<Value>("Receivers");
        form.close();
        let receivers = match listed {
            Some(Value::Array(items)) if !items.is_empty() => items,
            other => {
                let rule = "required: whom to take it from, such as [{\"AccountId\": \"222222222222\"}]";
                problems.add(format!("{REVOKE}.Receivers"), other, rule);
                return None;
            }
        };
        let read = |(n, item)| {
            let mut form = Form::open(&format!("{REVOKE}.Receivers[{n}]"), item, problems)?;
            let holder = holder(&mut form);
            form.close();
            holder
        };
        let receivers = receivers.into_iter().enumerate().filter_map(read).collect();
        Some(Self { of: bake.or(image)?, receivers })
    }
}
