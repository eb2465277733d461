//! Whether a temporary instance can be launched in a receiver's account.

use crate::Clients;
use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{Filter, RouteTable};
use bakery::ids::SubnetId;
use bakery::plan::Delivery;
use bakery::time::Timestamp;
use bakery::{Context, ErrorKind, Place, StepError};

/// The subnet that was named must exist, and SSM be reached from it if the instance is to be sealed; without one there
/// must be a default VPC.
///
/// # Errors
/// `InvalidRequest` that says what is missing, else AWS's.
pub async fn check(clients: &Clients, delivery: &Delivery, now: Timestamp) -> Result<(), StepError> {
    let Some(relaunch) = &delivery.relaunch else { return Ok(()) };
    let place = delivery.place();
    let ec2 = clients.ec2.at(&place, now).await?;
    let Some(subnet) = &relaunch.subnet_id else { return has_default_vpc(&ec2, &place).await };
    let vpc = vpc_of(&ec2, subnet, &place).await?;
    match &relaunch.seal_document {
        Some(document) => reaches_ssm(&ec2, subnet, &vpc, document.as_str(), &place).await,
        None => Ok(()),
    }
}

fn wrong<T>(rule: String) -> Result<T, StepError> {
    Err(StepError::new(ErrorKind::InvalidRequest, rule))
}

/// <https://docs.aws.amazon.com/vpc/latest/userguide/default-vpc.html>
async fn has_default_vpc(ec2: &Client, at: &Place) -> Result<(), StepError> {
    let ask = ec2.describe_vpcs().filters(filter("is-default", "true"));
    let found = ask.send().await.doing("ec2:DescribeVpcs", "the default VPC", at)?;
    if found.vpcs().is_empty() {
        return wrong(format!(
            "a temporary instance is launched from the image, and {at} has no default VPC; name a subnet there as \
             SubnetId"
        ));
    }
    Ok(())
}

async fn vpc_of(ec2: &Client, subnet: &SubnetId, at: &Place) -> Result<String, StepError> {
    let answer = ec2.describe_subnets().subnet_ids(subnet.as_str()).send().await;
    let found = match answer.doing("ec2:DescribeSubnets", subnet, at) {
        Err(error) if error.is_unknown_id("InvalidSubnetID") => {
            return wrong(format!("there is no subnet {subnet} in {at}; name another as SubnetId"));
        }
        answer => answer?,
    };
    Ok(found.subnets().first().and_then(|subnet| subnet.vpc_id()).unwrap_or_default().to_owned())
}

/// The instance has no public address, so that SSM is reached by the VPC's endpoints, or by a default route that leads
/// elsewhere than to an internet gateway.
/// <https://docs.aws.amazon.com/systems-manager/latest/userguide/setup-create-vpc.html>
async fn reaches_ssm(ec2: &Client, subnet: &SubnetId, vpc: &str, document: &str, at: &Place) -> Result<(), StepError> {
    let ask = ec2.describe_vpc_endpoints().filters(filter("vpc-id", vpc));
    let found = ask.send().await.doing("ec2:DescribeVpcEndpoints", vpc, at)?;
    let services = found.vpc_endpoints().iter().filter_map(|endpoint| endpoint.service_name());
    if services.into_iter().any(|name| name.ends_with(".ssm")) {
        return Ok(());
    }
    let ask = ec2.describe_route_tables().filters(filter("vpc-id", vpc));
    let found = ask.send().await.doing("ec2:DescribeRouteTables", vpc, at)?;
    if leads_out(found.route_tables(), subnet.as_str()) {
        return Ok(());
    }
    wrong(format!(
        "SealDocument = {document} is run by SSM, which an instance without a public address in subnet {subnet} in \
         {at} does not reach; give the VPC endpoints for ssm and ssmmessages, or the subnet a NAT gateway, or name \
         another subnet"
    ))
}

/// Whether the subnet's own route table, or else the VPC's main one, has a default route that takes private addresses.
fn leads_out(tables: &[RouteTable], subnet: &str) -> bool {
    let is_own = |table: &&RouteTable| table.associations().iter().any(|one| one.subnet_id() == Some(subnet));
    let is_main = |table: &&RouteTable| table.associations().iter().any(|one| one.main() == Some(true));
    let table = tables.iter().find(is_own).or_else(|| tables.iter().find(is_main));
    table.is_some_and(|table| {
        table.routes().iter().any(|route| {
            let is_default = route.destination_cidr_block() == Some("0.0.0.0/0");
            is_default && !route.gateway_id().is_some_and(|gateway| gateway.starts_with("igw-"))
        })
    })
}

fn filter(name: &str, value: &str) -> Filter {
    Filter::builder().name(name).values(value).build()
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_ec2::types::{Route, RouteTableAssociation};

    fn table(association: RouteTableAssociation, route: Route) -> RouteTable {
        RouteTable::builder().associations(association).routes(route).build()
    }

    fn main() -> RouteTableAssociation {
        RouteTableAssociation::builder().main(true).build()
    }

    fn own() -> RouteTableAssociation {
        RouteTableAssociation::builder().subnet_id("subnet-1").build()
    }

    fn nat() -> Route {
        Route::builder().destination_cidr_block("0.0.0.0/0").nat_gateway_id("nat-1").build()
    }

    fn internet() -> Route {
        Route::builder().destination_cidr_block("0.0.0.0/0").gateway_id("igw-1").build()
    }

    fn local() -> Route {
        Route::builder().destination_cidr_block("10.0.0.0/16").gateway_id("local").build()
    }

    #[test]
    fn a_private_address_gets_out_by_nat_and_not_by_an_internet_gateway() {
        assert!(leads_out(&[table(own(), nat())], "subnet-1"));
        assert!(!leads_out(&[table(own(), internet())], "subnet-1"));
        assert!(!leads_out(&[table(own(), local())], "subnet-1"));
    }

    #[test]
    fn the_main_table_counts_for_a_subnet_without_one() {
        assert!(leads_out(&[table(main(), nat())], "subnet-1"));
        assert!(!leads_out(&[table(main(), nat()), table(own(), local())], "subnet-1"));
    }
}
