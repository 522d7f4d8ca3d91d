/* What a seccomp filter costs on this machine: attaching it, and three kinds of call under it.
 *
 * usage: filter_cost FORKS CALLS < program     (an array of struct sock_filter; empty: no filter)
 *
 * Prints the median nanoseconds of FORKS seccomp(2) calls, each in a child of its own, then those
 * per call of CALLS calls each, medians of nine rounds: getppid (allowed, from the kernel's cache), personality with
 * 0xffffffff (allowed after a look at its argument), keyctl (denied).
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS 9

static long now(void)
{
	struct timespec at;
	clock_gettime(CLOCK_MONOTONIC, &at);
	return at.tv_sec * 1000000000L + at.tv_nsec;
}

static int ascending(const void *left, const void *right)
{
	long a = *(const long *)left, b = *(const long *)right;
	return (a > b) - (a < b);
}

static long attach(struct sock_fprog *program)
{
	long start = now();
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, program))
		_exit(1);
	return now() - start;
}

static double loop(long number, unsigned long argument, long calls)
{
	long rounds[ROUNDS];
	for (int round = 0; round < ROUNDS; round++) {
		long start = now();
		for (long i = 0; i < calls; i++)
			syscall(number, argument, 0, 0, 0, 0);
		rounds[round] = now() - start;
	}
	qsort(rounds, ROUNDS, sizeof *rounds, ascending);
	return (double)rounds[ROUNDS / 2] / calls;
}

int main(int argc, char **argv)
{
	static struct sock_filter filter[4096];
	long forks = argc > 1 ? atol(argv[1]) : 0, calls = argc > 2 ? atol(argv[2]) : 0;
	size_t length = fread(filter, sizeof filter[0], 4096, stdin);
	struct sock_fprog program = {.len = length, .filter = filter};
	long *times = calloc(forks + 1, sizeof *times);
	int channel[2];

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || pipe(channel))
		return 1;
	for (long i = 0; length && i < forks; i++) {
		pid_t child = fork();
		if (child == 0) {
			long taken = attach(&program);
			_exit(write(channel[1], &taken, sizeof taken) != sizeof taken);
		}
		int status;
		if (waitpid(child, &status, 0) != child || status)
			return 1;
		if (read(channel[0], &times[i], sizeof times[i]) != sizeof times[i])
			return 1;
	}
	qsort(times, forks, sizeof *times, ascending);
	if (length)
		attach(&program);
	double cached = loop(SYS_getppid, 0, calls);
	double checked = loop(SYS_personality, 0xffffffff, calls);
	double denied = loop(SYS_keyctl, 9999, calls);
	printf("%ld %.1f %.1f %.1f\n", forks ? times[forks / 2] : 0, cached, checked, denied);
	return 0;
}
