/*
 * Makes system calls from inside a container and prints each raw result on a line of its own.
 *
 *   probe NR [A0 .. A5] [-- NR [A0 ..]] ...     through the syscall instruction
 *   probe32 NR ...                              the same through int $0x80
 *
 * Numbers are decimal or 0x.., negative ones with a minus, up to 64 bits. `@` is the address of
 * 4096 zeroed bytes, `:text` that of the text. The child of a fork or clone (not vfork) ends at
 * once. No C library: the program itself needs nothing but execve, write and exit.
 */
#include <stdint.h>

#include "raw_call.h"

static char buffer[4096];

/* The compiler may call these. */
void *memset(void *to, int byte, unsigned long count)
{
    for (char *p = to; count--;)
        *p++ = (char)byte;
    return to;
}

static int equal(const char *a, const char *b)
{
    while (*a && *a == *b)
        a++, b++;
    return *a == *b;
}

static _Noreturn void leave(int status)
{
    make_call(&(struct call){0, 60, {(uint64_t)status}});
    __builtin_trap();
}

static void print(int64_t value)
{
    char line[24], *p = line + sizeof line;
    uint64_t rest = value < 0 ? -(uint64_t)value : (uint64_t)value;
    *--p = '\n';
    do
        *--p = (char)('0' + rest % 10);
    while (rest /= 10);
    if (value < 0)
        *--p = '-';
    make_call(&(struct call){0, 1, {1, (uint64_t)p, (uint64_t)(line + sizeof line - p)}});
}

static uint64_t parse(const char *text)
{
    if (equal(text, "@"))
        return (uint64_t)buffer;
    if (*text == ':')
        return (uint64_t)(text + 1);
    int negative = *text == '-';
    text += negative;
    unsigned base = 10;
    if (text[0] == '0' && text[1] == 'x')
        base = 16, text += 2;
    if (*text == '\0')
        leave(2);
    uint64_t value = 0;
    for (; *text; text++) {
        unsigned digit = *text >= 'a' ? (unsigned)(*text - 'a') + 10 : (unsigned)(*text - '0');
        if (digit >= base)
            leave(2);
        value = value * base + digit;
    }
    return negative ? -value : value;
}

static int forks(const struct call *call)
{
    return call->kind ? call->nr == 2 || call->nr == 120 || call->nr == 435
                      : call->nr == 56 || call->nr == 57 || call->nr == 435;
}

static int ends_with_32(const char *name)
{
    const char *end = name;
    while (*end)
        end++;
    return end - name >= 2 && equal(end - 2, "32");
}

__attribute__((used)) static _Noreturn void run(const uint64_t *stack)
{
    uint64_t count = stack[0];
    const char *const *words = (const char *const *)(stack + 1);
    uint32_t kind = count > 0 && ends_with_32(words[0]);

    uint64_t i = 1;
    if (i >= count)
        leave(2);
    while (i < count) {
        struct call call = {kind, (uint32_t)parse(words[i++]), {0}};
        for (unsigned n = 0; i < count && !equal(words[i], "--"); i++, n++) {
            if (n == 6)
                leave(2);
            call.args[n] = parse(words[i]);
        }
        i++; /* the -- */
        int64_t result = make_call(&call);
        if (result == 0 && forks(&call))
            leave(0);
        print(result);
    }
    leave(0);
}

__asm__(".globl _start\n_start:\n    mov %rsp, %rdi\n    and $-16, %rsp\n    call run\n");
