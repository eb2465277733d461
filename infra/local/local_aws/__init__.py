"""The local AWS: moto, the real Lambda Runtime Interface Emulator and the rules that moto lacks, on one clock."""
