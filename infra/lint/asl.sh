#!/usr/bin/env bash
# Checks the state machines by the schema of the Amazon States Language, with ARNs in place of what SAM puts there.
set -euo pipefail
target=${1:?usage: asl.sh TARGET_DIRECTORY}
for machine in statemachines/*.asl.json; do
  filled=$target/$(basename "$machine")
  sed -E 's/\$\{Partition\}/aws/; s/\$\{[A-Za-z]+\}/arn:aws:lambda:us-east-1:111111111111:function:dummy/g' "$machine" > "$filled"
  "$target/node_modules/.bin/asl-validator" --json-path "$filled"
done
