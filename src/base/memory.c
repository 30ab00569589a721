#include "base/memory.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sysexits.h>

static void *or_die(void *memory, size_t size) {
    if (!memory && size) {
        fprintf(stderr, "dunlin: E1502 out of memory: %zu bytes asked for\n", size);
        _Exit(EX_OSERR);
    }
    return memory;
}

static size_t product(size_t count, size_t size) {
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes)) {
        or_die(NULL, SIZE_MAX);
    }
    return bytes;
}

void *dn_alloc(size_t size) {
    return or_die(calloc(1, size ? size : 1), size);
}

void *dn_alloc_array(size_t count, size_t size) {
    return dn_alloc(product(count, size));
}

void *dn_alloc_aligned(size_t align, size_t size) {
    void *memory = NULL;
    size_t rounded = (size + align - 1) & ~(align - 1);
    if (posix_memalign(&memory, align, rounded ? rounded : align) != 0) {
        memory = NULL;
    }
    or_die(memory, size ? size : 1);
    memset(memory, 0, rounded);
    return memory;
}

void *dn_alloc_large(size_t size) {
    enum { PAGE = 2 << 20 };
    size_t whole = size & ~((size_t)PAGE - 1);
    void *memory = NULL;
    if (whole == 0) {
        return dn_alloc(size);
    }
    if (posix_memalign(&memory, PAGE, size) != 0) {
        memory = NULL;
    }
    or_die(memory, size);
    (void)madvise(memory, whole, MADV_HUGEPAGE); /* a wish */
    memset(memory, 0, size);
    return memory;
}

void *dn_grow(void *old, size_t count, size_t size) {
    size_t bytes = product(count, size);
    return or_die(realloc(old, bytes ? bytes : 1), bytes);
}

char *dn_strdup(const char *text) {
    return or_die(strdup(text), strlen(text) + 1);
}

char *dn_format(const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    char *text = NULL;
    int n = vasprintf(&text, fmt, args);
    va_end(args);
    return or_die(n < 0 ? NULL : text, 1);
}
