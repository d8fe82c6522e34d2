/* Stands in for another machine, loaded in front of everything else (LD_PRELOAD).
 *
 * OTHER_MAKER: MKL takes this processor for one of Intel's, and uses the kernels that it keeps for those.
 * OTHER_ALIGNMENT: what torch allocates starts so many bytes behind a multiple of 64; no multiple of 16.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>
#include <stdlib.h>

int mkl_serv_intel_cpu_true(void) { return getenv("OTHER_MAKER") != NULL; }

int posix_memalign(void **where, size_t alignment, size_t size) {
    static int (*real)(void **, size_t, size_t);
    if (!real) real = dlsym(RTLD_NEXT, "posix_memalign");
    const char *shift = getenv("OTHER_ALIGNMENT");
    int failed = real(where, alignment, size + 64);
    if (!failed && shift && alignment == 64) *where = (char *)*where + atoi(shift);
    return failed;
}

void free(void *where) {
    static void (*real)(void *);
    if (!real) real = dlsym(RTLD_NEXT, "free");
    /* malloc gives multiples of 16: anything else was shifted above. */
    if ((uintptr_t)where & 15) where = (void *)((uintptr_t)where & ~(uintptr_t)63);
    real(where);
}
