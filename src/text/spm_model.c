#include "text/spm_model.h"

#include "base/memory.h"
#include "base/utf8.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { MAX_FILE_BYTES = 128 << 20, MAX_PIECES = 1 << 22, OWN_PIECES = 3 };

/* Wire types, and the numbers of the fields that matter. */
enum { VARINT = 0, FIXED64 = 1, BYTES = 2, FIXED32 = 5 };
enum { MODEL_PIECE = 1, MODEL_TRAINER = 2, MODEL_NORMALIZER = 3 };
enum { PIECE_TEXT = 1, PIECE_SCORE = 2, PIECE_TYPE = 3, TYPE_NORMAL = 1 };
enum { TRAINER_TYPE = 3, TRAINER_BYTE_FALLBACK = 35, NORMALIZER_CHARSMAP = 2, UNIGRAM = 1 };

/* A message that is being read. */
typedef struct message {
    const char *path, *begin; /* of the file */
    const char *at, *end;
} message;

typedef struct field {
    uint64_t number;
    int wire;
    uint64_t value; /* of a number */
    dn_span bytes;
} field;

static dn_status damaged(const message *m, const char *what) {
    return DN_FAIL(MODEL, "%s: %s at byte %td", m->path, what, m->at - m->begin);
}

static dn_status take_varint(message *m, uint64_t *out) {
    *out = 0;
    for (int shift = 0; shift < 64; shift += 7) {
        if (m->at == m->end) {
            return damaged(m, "the file ends within a number");
        }
        unsigned char byte = (unsigned char)*m->at++;
        *out |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            return DN_OK;
        }
    }
    return damaged(m, "a number does not end");
}

static dn_status take_bytes(message *m, uint64_t size, dn_span *out) {
    if (size > (uint64_t)(m->end - m->at)) {
        return damaged(m, "a field is longer than what it is in");
    }
    *out = (dn_span){m->at, (size_t)size};
    m->at += size;
    return DN_OK;
}

static dn_status take_field(message *m, field *f) {
    uint64_t key;
    DN_TRY(take_varint(m, &key));
    *f = (field){.number = key >> 3, .wire = (int)(key & 7)};
    switch (f->wire) {
    case VARINT:
        return take_varint(m, &f->value);
    case FIXED64:
        return take_bytes(m, 8, &f->bytes);
    case BYTES:
        DN_TRY(take_varint(m, &f->value));
        return take_bytes(m, f->value, &f->bytes);
    case FIXED32:
        return take_bytes(m, 4, &f->bytes);
    }
    return damaged(m, "a field of no known type");
}

static message inner(const message *m, const field *f) {
    return (message){m->path, m->begin, f->bytes.ptr, f->bytes.ptr + f->bytes.len};
}

static double score_of(dn_span bytes) {
    const unsigned char *p = (const unsigned char *)bytes.ptr;
    uint32_t bits = p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
    float score;
    memcpy(&score, &bits, sizeof score);
    return score;
}

static dn_status add_piece(message m, dn_spm_model *model) {
    dn_spm_piece piece = {.text = {"", 0}, .type = TYPE_NORMAL};
    while (m.at < m.end) {
        field f;
        DN_TRY(take_field(&m, &f));
        if (f.number == PIECE_TEXT && f.wire == BYTES) {
            piece.text = f.bytes;
        } else if (f.number == PIECE_SCORE && f.wire == FIXED32) {
            piece.score = score_of(f.bytes);
        } else if (f.number == PIECE_TYPE && f.wire == VARINT) {
            piece.type = (int64_t)f.value;
        }
    }
    if (!piece.text.len || dn_utf8_valid_prefix(piece.text) < piece.text.len ||
        !(piece.score > -1e30 && piece.score < 1e30)) {
        return damaged(&m, "a piece without a text or a score");
    }
    if (model->n == MAX_PIECES) {
        return damaged(&m, "too many pieces");
    }
    if ((model->n & (model->n - 1)) == 0) { /* full at each power of two */
        model->piece =
            dn_grow(model->piece, model->n ? 2 * (size_t)model->n : 1, sizeof *model->piece);
    }
    model->piece[model->n++] = piece;
    return DN_OK;
}

static dn_status read_trainer(message m) {
    while (m.at < m.end) {
        field f;
        DN_TRY(take_field(&m, &f));
        if (f.number == TRAINER_TYPE && f.wire == VARINT && f.value != UNIGRAM) {
            return damaged(&m, "trainer_spec.model_type is not UNIGRAM, which alone is supported,");
        }
        if (f.number == TRAINER_BYTE_FALLBACK && f.wire == VARINT && f.value) {
            return damaged(&m, "trainer_spec.byte_fallback is on, which is not supported,");
        }
    }
    return DN_OK;
}

static dn_status read_normalizer(message m, dn_spm_model *model) {
    while (m.at < m.end) {
        field f;
        DN_TRY(take_field(&m, &f));
        if (f.number == NORMALIZER_CHARSMAP && f.wire == BYTES) {
            model->charsmap = f.bytes;
        }
    }
    return DN_OK;
}

static dn_status read_model(message m, dn_spm_model *model) {
    while (m.at < m.end) {
        field f;
        DN_TRY(take_field(&m, &f));
        if (f.wire != BYTES) {
            continue;
        }
        if (f.number == MODEL_PIECE) {
            DN_TRY(add_piece(inner(&m, &f), model));
        } else if (f.number == MODEL_TRAINER) {
            DN_TRY(read_trainer(inner(&m, &f)));
        } else if (f.number == MODEL_NORMALIZER) {
            DN_TRY(read_normalizer(inner(&m, &f), model));
        }
    }
    for (int i = 0; i < OWN_PIECES; i++) {
        if (i >= model->n || model->piece[i].type == TYPE_NORMAL) {
            return DN_FAIL(MODEL, "%s: piece %d is none of <unk>, <s> and </s>, which come first",
                           m.path, i);
        }
    }
    return DN_OK;
}

static dn_status read_all(const char *path, char **bytes, size_t *size) {
    FILE *file = fopen(path, "rb");
    struct stat about;
    if (!file) {
        return DN_FAIL(NO_INPUT, "%s: %s", path, strerror(errno));
    }
    bool good = fstat(fileno(file), &about) == 0 && S_ISREG(about.st_mode);
    if (!good || about.st_size > MAX_FILE_BYTES) {
        fclose(file);
        return DN_FAIL(MODEL, "%s: not a file of at most %d MiB", path, MAX_FILE_BYTES >> 20);
    }
    *bytes = dn_alloc((size_t)about.st_size + 1);
    *size = fread(*bytes, 1, (size_t)about.st_size, file);
    fclose(file);
    return DN_OK;
}

dn_status dn_spm_model_load(const char *path, dn_spm_model *out) {
    size_t size = 0;
    *out = (dn_spm_model){.n = 0};
    DN_TRY(read_all(path, &out->bytes, &size));
    message m = {path, out->bytes, out->bytes, out->bytes + size};
    dn_status status = read_model(m, out);
    if (status != DN_OK) {
        dn_spm_model_free(out);
    }
    return status;
}

void dn_spm_model_free(dn_spm_model *model) {
    free(model->bytes);
    free(model->piece);
    *model = (dn_spm_model){.n = 0};
}
