#ifndef DN_TEXT_ID_SINK_H
#define DN_TEXT_ID_SINK_H
/** Where a tokeniser puts its ids: a place of fixed room that remembers whether there was more. */
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

typedef struct dn_id_sink {
    int32_t *id;
    int32_t n, room;
    bool cut; /**< there were more ids than room */
} dn_id_sink;

static inline void dn_id_emit(dn_id_sink *sink, const int32_t *id, int32_t n) {
    int32_t left = sink->room - sink->n;
    if (n > left) {
        sink->cut = true;
        n = left;
    }
    memcpy(sink->id + sink->n, id, (size_t)n * sizeof *id);
    sink->n += n;
}

#endif
