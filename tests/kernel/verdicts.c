/*
 * What does this kernel decide? Loads filters, each in a child of its own, and makes many calls
 * under them.
 *
 * stdin:  for each filter uint32 instructions, uint32 calls, struct sock_filter[instructions],
 *         struct call[calls]
 * stdout: int64[calls], the raw result of each call, filter by filter
 *
 * Every RET of the filter must be ERRNO with a code (the caller rewrites them), so no call is ever
 * carried out, not even exit: the child ends itself by an illegal instruction.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "raw_call.h"

_Static_assert(sizeof(struct call) == 56, "the wire format of the Python side");

struct report {
    uint64_t made;  /* calls that came back; where the child died, if it died */
    uint64_t error; /* errno of loading the filter */
    int64_t results[];
};

static void fail(const char *what)
{
    fprintf(stderr, "verdicts: %s: %s\n", what, strerror(errno));
    exit(2);
}

static void *read_items(size_t count, size_t size)
{
    void *items = calloc(count + 1, size);
    if (items == NULL || fread(items, size, count, stdin) != count)
        fail("short input");
    return items;
}

static void child(const struct sock_fprog *program, const struct call *calls, uint32_t count,
                  volatile struct report *report)
{
    struct rlimit no_core = {0, 0};
    if (setrlimit(RLIMIT_CORE, &no_core) != 0 || prctl(PR_SET_DUMPABLE, 0) != 0 ||
        signal(SIGILL, SIG_DFL) == SIG_ERR || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, program) != 0) {
        report->error = (uint64_t)errno;
        _exit(3);
    }
    /* From here on every system call is refused. */
    for (uint32_t i = 0; i < count; i++) {
        report->results[i] = make_call(&calls[i]);
        report->made = i + 1;
    }
    __builtin_trap(); /* ud2 */
}

static void ask(const uint32_t sizes[2])
{
    if (sizes[0] > 0xffff)
        fail("bad header");
    struct sock_fprog program = {(unsigned short)sizes[0],
                                 read_items(sizes[0], sizeof(struct sock_filter))};
    uint32_t count = sizes[1];
    const struct call *calls = read_items(count, sizeof *calls);

    size_t size = sizeof(struct report) + count * sizeof(int64_t);
    struct report *report =
        mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (report == MAP_FAILED)
        fail("mmap");

    pid_t pid = fork();
    if (pid < 0)
        fail("fork");
    if (pid == 0)
        child(&program, calls, count, report);

    int status;
    if (waitpid(pid, &status, 0) != pid)
        fail("waitpid");
    if (report->error != 0) {
        errno = (int)report->error;
        fail("the kernel refused the filter");
    }
    if (report->made != count || !WIFSIGNALED(status) || WTERMSIG(status) != SIGILL) {
        const struct call *last = &calls[report->made < count ? report->made : count];
        fprintf(stderr, "verdicts: the child ended with wait status %#x after %llu of %u calls",
                status, (unsigned long long)report->made, count);
        if (report->made < count)
            fprintf(stderr, ", in call %u of kind %u", last->nr, last->kind);
        fprintf(stderr, "\n");
        exit(4);
    }
    if (fwrite(report->results, sizeof(int64_t), count, stdout) != count)
        fail("write");
    munmap(report, size);
    free((void *)calls);
    free(program.filter);
}

int main(void)
{
    uint32_t sizes[2];
    size_t found;
    while ((found = fread(sizes, sizeof sizes[0], 2, stdin)) == 2) {
        fflush(stdout); /* nothing that a child could write again */
        ask(sizes);
    }
    if (found != 0 || ferror(stdin) || fflush(stdout) != 0)
        fail("bad input or output");
    return 0;
}
