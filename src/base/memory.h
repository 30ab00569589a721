#ifndef DN_BASE_MEMORY_H
#define DN_BASE_MEMORY_H
/** Set-up memory. Out of memory at set-up is not recoverable: these print one line and end the
 * process with status 71, the only place in the libraries that may. The data path takes from arenas
 * and pools instead. */
#include <stddef.h>

void *dn_alloc(size_t size);                       /**< zeroed; ownership: the caller, free() */
void *dn_alloc_array(size_t count, size_t size);   /**< zeroed, overflow checked */
void *dn_alloc_aligned(size_t align, size_t size); /**< zeroed; align a power of two; free() */
void *dn_alloc_large(size_t size); /**< zeroed and there; for tables that are read at random: in
                                     large pages, where the system gives them; free() */
void *dn_grow(void *old, size_t count,
              size_t size); /**< realloc, overflow checked; new bytes not zeroed */
char *dn_strdup(const char *text);
char *dn_format(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
