// A Lambda function with AWS's SDK for JavaScript that asks what `wait-snapshots` asks first.
import { DescribeImagesCommand, EC2Client } from "@aws-sdk/client-ec2";

const ec2 = new EC2Client({});

export async function handler(event) {
  const answer = await ec2.send(new DescribeImagesCommand({ ImageIds: [event.ImageId] }));
  return { Images: answer.Images.length };
}
