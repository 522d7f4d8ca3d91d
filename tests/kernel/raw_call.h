/* System calls made by hand: no C library between the test and the kernel. x86_64 only. */
#ifndef STOCKADE_RAW_CALL_H
#define STOCKADE_RAW_CALL_H

#include <stdint.h>

/* One call. The assembly below reads the fields by offset: 0, 4, 8 .. 48. */
struct call {
    uint32_t kind; /* 0: the syscall instruction (x86_64, and x32 with bit 30); 1: int $0x80 (i386) */
    uint32_t nr;
    uint64_t args[6];
};

/* Each makes the call and returns the raw result, -errno on failure. */
int64_t raw_syscall(const struct call *call);
int64_t raw_int80(const struct call *call);

/* int $0x80 gets the full 64-bit registers: the kernel shows their high halves to the filter. */
__asm__(
    ".text\n"
    ".globl raw_syscall\n"
    "raw_syscall:\n"
    "    mov 4(%rdi), %eax\n"
    "    mov 16(%rdi), %rsi\n"
    "    mov 24(%rdi), %rdx\n"
    "    mov 32(%rdi), %r10\n"
    "    mov 40(%rdi), %r8\n"
    "    mov 48(%rdi), %r9\n"
    "    mov 8(%rdi), %rdi\n"
    "    syscall\n"
    "    ret\n"
    ".globl raw_int80\n"
    "raw_int80:\n"
    "    push %rbx\n"
    "    push %rbp\n"
    "    mov 4(%rdi), %eax\n"
    "    mov 8(%rdi), %rbx\n"
    "    mov 16(%rdi), %rcx\n"
    "    mov 24(%rdi), %rdx\n"
    "    mov 32(%rdi), %rsi\n"
    "    mov 48(%rdi), %rbp\n"
    "    mov 40(%rdi), %rdi\n"
    "    int $0x80\n"
    "    pop %rbp\n"
    "    pop %rbx\n"
    "    ret\n");

static inline int64_t make_call(const struct call *call)
{
    return call->kind == 1 ? raw_int80(call) : raw_syscall(call);
}

#endif
