#ifndef DN_SINK_CONTENT_H
#define DN_SINK_CONTENT_H
/** The content of a partition across its files: one running hash per column. Text offsets count
 * from the start of each file, so their differences, the lengths, are hashed instead. */
#include "io/h5.h"

typedef struct dn_content dn_content;

dn_content *dn_content_new(void);
void dn_content_free(dn_content *content);

/** A new file begins. */
void dn_content_next_file(dn_content *content);
void dn_content_add(dn_content *content, const dn_h5_info *info, const void *rows, size_t n_rows);

/** Hash over the hashes of all columns, by path. */
uint64_t dn_content_value(const dn_content *content);

#endif
