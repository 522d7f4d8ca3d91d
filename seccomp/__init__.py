"""The seccomp compiler: a policy becomes BPF programs and runtime profiles."""
