# AMI Bakery. `make help` lists what there is.

# Absolute, like every path below: tools that are called here work in folders of their own.
override CARGO_TARGET_DIR := $(abspath $(or $(CARGO_TARGET_DIR),target))
export CARGO_TARGET_DIR
LOCAL := $(CARGO_TARGET_DIR)/local-aws
PYTHON := $(LOCAL)/venv/bin/python
export PYTHONPATH := $(abspath infra/local)
FUNCTIONS := $(CARGO_TARGET_DIR)/debug
TOOLS := $(CARGO_TARGET_DIR)/tools
LINT := $(TOOLS)/lint
PACKAGE := $(TOOLS)/package
BENCH := $(CARGO_TARGET_DIR)/bench
NEXTEST := $(or $(shell command -v cargo-nextest),$(TOOLS)/bin/cargo-nextest)
# One test more than there are cores: a bake also waits for others.
export NEXTEST_TEST_THREADS := $(shell expr $$(nproc) + 1)
# Has a local AWS with the stack deployed meanwhile, of which tests get copies.
WITH_LOCAL_AWS := $(PYTHON) -m local_aws warm --functions $(FUNCTIONS) --

.DEFAULT_GOAL := help
.PHONY: help demo check test test-one test-rust test-local test-permissions fault storm prove-teeth prove-permissions bench bench-waiting bench-scale bench-orchestration bench-faster bench-cold-start bench-page package lint advisories local build build-tests setup fmt clean

help: ## List the targets
	@sed -n 's/^\([a-z-]*\):.*## /  make \1@/p' $(MAKEFILE_LIST) | column -t -s @

demo: build setup ## Bake an image for two receivers on a local AWS, live in the terminal
	@$(PYTHON) -m local_aws demo --functions $(FUNCTIONS) --dir $(LOCAL)/demo

# Not what bakes on a local AWS: that is `make test`.
check: setup $(NEXTEST) ## Check formatting and lints, and run the pure, step and contract tests: a minute, once built
	cargo fmt --all --check
	$(LOCAL)/venv/bin/ruff check --quiet infra/local infra/lint infra/package tests
	$(LOCAL)/venv/bin/ruff format --quiet --check infra/local infra/lint infra/package tests
	$(NEXTEST) nextest run --workspace --status-level fail -E 'not binary(bake) and not binary(fault)'
	cargo clippy --workspace --all-targets -- -D warnings

test-one: setup $(NEXTEST) ## Run one test of any tier: T=a_rust_test, T=test_of_python or T=path/of/test.py::test_of_python
	@$(PYTHON) tests/one.py "$(T)" --nextest $(NEXTEST) --functions $(FUNCTIONS)

# The last two leave a core idle each: side by side, and told one after the other.
test: test-rust ## Run the pure, step, contract, bake and permission tiers, and the local AWS's own
	@$(MAKE) --no-print-directory --jobs=2 --output-sync=target test-local test-permissions

# Always the whole workspace: a part of it would have other features, and build the AWS SDKs again.
test-rust: build setup $(NEXTEST)
	$(WITH_LOCAL_AWS) $(NEXTEST) nextest run --workspace

fault: build setup $(NEXTEST) ## Fail, lose and repeat every step, and see that nothing is left behind; PART=2/3 of it
	FAULT_PART=$(PART) $(WITH_LOCAL_AWS) $(NEXTEST) nextest run --workspace --ignore-default-filter -E 'binary(fault)'

# Each storm is a bake with random faults, known by its seed.
storm: build setup $(NEXTEST) ## Run N=200 bakes with random faults, or one of them again: SEED=17
	N=$(or $(N),200) SEED=$(SEED) $(WITH_LOCAL_AWS) $(NEXTEST) nextest run --workspace --ignore-default-filter --run-ignored all \
	  -E 'binary(fault) and test(as_many_as_asked_for)' --no-capture

prove-teeth: build setup $(NEXTEST) ## Break the bake in four ways, and see the fault tier fail each time
	$(PYTHON) tests/fault/prove_teeth.py --nextest $(NEXTEST)

bench: ## Run every benchmark (some three hours), and write docs/benchmarks.md; a missed target stops nothing
	$(MAKE) package ARCHITECTURES=x86_64
	-$(MAKE) bench-cold-start
	-$(MAKE) bench-orchestration
	-$(MAKE) bench-faster
	-$(MAKE) bench-scale
	-$(MAKE) bench-waiting
	$(MAKE) bench-page

# What is deployed is measured: first `make package ARCHITECTURES=x86_64`.
bench-%: FUNCTIONS := $(CARGO_TARGET_DIR)/lambda/x86_64

bench-page: setup ## Write docs/benchmarks.md from what the benchmarks have left
	@tests/bench/setup-peers.sh $(TOOLS)/peers $(PYTHON)
	$(TOOLS)/peers/venv/bin/python tests/bench/page.py --results $(BENCH)

bench-waiting: setup ## Measure how late a bake notices that an image is ready
	$(PYTHON) tests/bench/waiting.py --functions $(FUNCTIONS) --out $(BENCH)/waiting.json

bench-scale: setup ## Bake for 10 and for 1,000 receivers, and count what it costs
	$(PYTHON) tests/bench/scale.py --functions $(FUNCTIONS) --out $(BENCH)/scale.json

bench-orchestration: setup ## Bake beside Packer, and for 50 receivers in each of 6 Regions
	$(PYTHON) tests/bench/orchestration.py --functions $(FUNCTIONS) --out $(BENCH)/orchestration.json

bench-faster: setup ## The same for 6 Regions and 50 accounts, as if this machine were ten times as fast
	$(PYTHON) tests/bench/orchestration.py --functions $(FUNCTIONS) --out $(BENCH)/faster.json \
	  --only shared whole --regions 6 --accounts 50 --busy-speed 0.1 --rounds 1 --whole-bakes 4

bench-cold-start: setup ## Measure what it costs to start each function of make package, beside boto3 and Node.js
	@tests/bench/setup-peers.sh $(TOOLS)/peers $(PYTHON)
	$(PYTHON) tests/bench/cold_start.py --target $(CARGO_TARGET_DIR) --peers $(TOOLS)/peers \
	  --emulator $(LOCAL)/rie/aws-lambda-rie-x86_64

# The rules run in the tests' own processes, and nothing else may.
test-local: setup
	$(PYTHON) -m pytest -q -n 2 --dist loadfile infra/local/tests tests/workshop
	$(PYTHON) -m pytest -q -n 2 --dist loadfile tests/rules

test-permissions: build setup ## See that every permission of the templates is needed
	$(PYTHON) -m pytest -q tests/permissions --functions $(FUNCTIONS)

prove-permissions: build setup ## Take each permission away in turn, and see what needed it fail (an hour and more)
	$(PYTHON) tests/permissions/prove.py --functions $(FUNCTIONS)

package: setup $(TOOLS)/bin/cargo-cyclonedx ## Build what is deployed: zips for ARCHITECTURES="arm64 x86_64", checksums, SBOMs
	@infra/package/setup.sh $(PACKAGE) $(PYTHON)
	PATH="$(PACKAGE)/venv/bin:$(TOOLS)/bin:$$PATH" \
	  $(PYTHON) infra/package/package.py --target $(CARGO_TARGET_DIR) --architectures $(or $(ARCHITECTURES),arm64 x86_64)

lint: setup $(TOOLS)/bin/cargo-deny ## Check formatting, lints, licences, the state machine and the templates (needs Node)
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	$(TOOLS)/bin/cargo-deny --log-level error check licenses bans sources
	$(LOCAL)/venv/bin/ruff check infra/local infra/lint infra/package tests
	$(LOCAL)/venv/bin/ruff format --check infra/local infra/lint infra/package tests
	$(LOCAL)/venv/bin/cfn-lint infra/template.yaml infra/receiver.yaml
	@infra/lint/setup.sh $(LINT) $(PYTHON)
	for template in infra/template.yaml infra/receiver.yaml; do \
	  SAM_CLI_TELEMETRY=0 $(LINT)/sam/bin/sam validate --lint --region us-east-1 --template $$template || exit 1; done
	$(LINT)/venv/bin/checkov --config-file infra/lint/checkov.yaml
	$(LINT)/venv/bin/python infra/lint/actions.py
	infra/lint/asl.sh $(LINT)

advisories: $(TOOLS)/bin/cargo-deny ## Look for advisories on what the functions are made of (needs the network)
	$(TOOLS)/bin/cargo-deny --log-level error check advisories

local: build setup ## Start a local AWS with the stack deployed; Ctrl-C ends it
	@$(PYTHON) -m local_aws serve --functions $(FUNCTIONS) --dir $(LOCAL)/run

build: ## Build the functions for this machine
	@echo "Building the functions (the first time takes some minutes: the EC2 SDK is large)"
	@cargo build --workspace

build-tests: build setup $(NEXTEST) ## Build the functions and all tests, and run none
	$(NEXTEST) nextest run --workspace --no-run

setup: ## Get what the local AWS is made of: Python packages, the Lambda Runtime Interface Emulator
	@infra/local/setup.sh $(LOCAL)

$(TOOLS)/bin/cargo-deny: VERSION := 0.20.2
$(TOOLS)/bin/cargo-cyclonedx: VERSION := 0.5.9
$(TOOLS)/bin/cargo-nextest: VERSION := 0.9.143
$(TOOLS)/bin/cargo-%:
	@echo "Installing cargo-$* $(VERSION)"
	@cargo install --locked --quiet cargo-$* --version $(VERSION) --root $(TOOLS) --target-dir $(TOOLS)/build
	@rm -rf $(TOOLS)/build

fmt: setup ## Format everything
	cargo fmt --all
	$(LOCAL)/venv/bin/ruff format infra/local infra/lint infra/package tests

clean: ## Remove everything that was built or set up
	cargo clean
