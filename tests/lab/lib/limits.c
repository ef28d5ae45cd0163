/*
 * Preloaded into CRIU where root lacks CAP_SYS_RESOURCE, without which prlimit(2) does not tell the limits of another user's
 * process and CRIU can dump none ("Can't get rlimit 0"). /proc/PID/limits tells the same to everybody.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>

/* The order of the kernel's RLIMIT_ numbers (asm-generic/resource.h); the names of fs/proc/base.c. */
static const char *const names[] = {
	"Max cpu time", "Max file size", "Max data size", "Max stack size", "Max core file size", "Max resident set",
	"Max processes", "Max open files", "Max locked memory", "Max address space", "Max file locks", "Max pending signals",
	"Max msgqueue size", "Max nice priority", "Max realtime priority", "Max realtime timeout",
};

static long kernel(long number, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d, r8 __asm__("r8") = e, r9 __asm__("r9") = f;
	long result;

	__asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9) : "rcx", "r11", "memory");
	return result;
}

static rlim_t number_of(const char *text)
{
	unsigned long long value;

	return sscanf(text, "%llu", &value) == 1 ? value : RLIM_INFINITY; /* "unlimited" */
}

static long read_limit(int pid, unsigned int resource, struct rlimit *limit)
{
	char path[64], line[256], soft[32], hard[32];
	long result = -EPERM;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/limits", pid);
	file = fopen(path, "re");
	if (!file)
		return result;
	while (result && fgets(line, sizeof(line), file)) {
		size_t length = strlen(names[resource]);

		if (!strncmp(line, names[resource], length) && sscanf(line + length, "%31s %31s", soft, hard) == 2) {
			limit->rlim_cur = number_of(soft);
			limit->rlim_max = number_of(hard);
			result = 0;
		}
	}
	fclose(file);
	return result;
}

/* glibc's, as seen by its callers. */
long syscall(long number, ...)
{
	va_list arguments;
	long a[6], result;
	int i;

	va_start(arguments, number);
	for (i = 0; i < 6; i++)
		a[i] = va_arg(arguments, long);
	va_end(arguments);
	result = kernel(number, a[0], a[1], a[2], a[3], a[4], a[5]);
	if (result == -EPERM && number == SYS_prlimit64 && !a[2] && a[3] && a[1] >= 0 && a[1] < (long)(sizeof(names) / sizeof(*names)))
		result = read_limit((int)a[0], (unsigned int)a[1], (struct rlimit *)a[3]);
	if (result < 0 && result > -4096) {
		errno = (int)-result;
		return -1;
	}
	return result;
}
