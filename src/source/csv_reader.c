/* A corpus in RFC 4180 CSV with a header line. */
#include "base/memory.h"
#include "source/csv.h"
#include "source/reader.h"

#include <inttypes.h>
#include <stdlib.h>

struct dn_reader {
    dn_feed feed;
    dn_csv csv;
    int column[DN_ROLES];
    int64_t number;
    dn_key key;
    int32_t n_partitions;
    char detail[192];
};

static dn_status read_header(dn_reader *reader, const dn_reader_spec *spec) {
    dn_csv_state state;
    DN_TRY(dn_csv_next(&reader->csv, &state));
    if (state != DN_CSV_RECORD) {
        return DN_FAIL(DATA, "%s: has no header line: the first record must name the columns",
                       spec->path);
    }
    int n = reader->csv.n_fields;
    if (n > DN_CSV_FIELDS_MAX) {
        return DN_FAIL(DATA, "%s: has %d columns, at most %d are read", spec->path, n,
                       DN_CSV_FIELDS_MAX);
    }
    for (int i = 0; i < n; i++) {
        dn_csv_value(&reader->csv, i);
    }
    reader->csv.n_expected = n;
    return dn_header_resolve(spec->path, reader->csv.field, n, spec->fields, reader->column);
}

static void csv_close(dn_reader *reader) {
    if (reader) {
        dn_feed_close(&reader->feed);
        free(reader);
    }
}

static dn_status csv_open(const dn_reader_spec *spec, dn_reader **reader) {
    dn_status status;
    dn_reader *r = dn_alloc(sizeof *r);
    r->csv.feed = &r->feed;
    r->key = spec->key;
    r->n_partitions = spec->n_partitions;
    DN_TRY_GO(dn_feed_open(&r->feed, spec->path), err_close);
    DN_TRY_GO(read_header(r, spec), err_close);
    *reader = r;
    return DN_OK;
err_close:
    csv_close(r);
    return status;
}

static dn_span field_of(const dn_reader *reader, dn_role role) {
    int column = reader->column[role];
    return column < 0 ? (dn_span){NULL, 0} : reader->csv.field[column];
}

/** Doubled quotes become one; the raw record is void afterwards. */
static void unescape(dn_reader *reader, dn_role role, dn_span *value, dn_record *record) {
    if (value->ptr && reader->csv.escaped[reader->column[role]]) {
        size_t before = value->len;
        *value = dn_csv_value(&reader->csv, reader->column[role]);
        record->size_bytes -= (uint32_t)(before - value->len);
    }
}

/** Checks come first: they find the same with doubled quotes, and a bad record shows its bytes as
 * they came. Columns that are not read are not checked. */
static void take_fields(dn_reader *reader, dn_record *record) {
    record->raw = reader->csv.raw;
    record->user = field_of(reader, DN_ROLE_USER);
    record->text = field_of(reader, DN_ROLE_TEXT);
    record->language = field_of(reader, DN_ROLE_LANGUAGE);
    record->source_id = field_of(reader, DN_ROLE_ID);
    dn_record_check(record, field_of(reader, DN_ROLE_CREATED_AT), reader->detail,
                    sizeof reader->detail);
    if (!record->reason) {
        unescape(reader, DN_ROLE_USER, &record->user, record);
        unescape(reader, DN_ROLE_TEXT, &record->text, record);
        unescape(reader, DN_ROLE_LANGUAGE, &record->language, record);
        unescape(reader, DN_ROLE_ID, &record->source_id, record);
    }
}

static void spoil(dn_reader *reader, dn_csv_state state, dn_record *record) {
    const dn_csv *csv = &reader->csv;
    char *detail = reader->detail;
    if (state == DN_CSV_OVERSIZE) {
        dn_record_spoil(record, "oversize", csv->raw, detail, sizeof reader->detail,
                        "%" PRIu64 " bytes at byte %" PRIu64 " of the corpus, at most %d are read",
                        csv->size_bytes, csv->position, DN_RECORD_MAX);
    } else if (state == DN_CSV_BAD) {
        dn_record_spoil(record, "bad CSV", csv->raw, detail, sizeof reader->detail,
                        "%s, in the record at byte %" PRIu64 " of the corpus", csv->why,
                        csv->position);
    } else {
        dn_record_spoil(record, "bad CSV", csv->raw, detail, sizeof reader->detail,
                        "%d fields where the header has %d, at byte %" PRIu64 " of the corpus",
                        csv->n_fields, csv->n_expected, csv->position);
    }
}

static dn_status csv_next(dn_reader *reader, dn_record *record, int32_t *partition, bool *end) {
    dn_csv_state state;
    DN_TRY(dn_csv_next(&reader->csv, &state));
    *end = state == DN_CSV_END;
    if (*end) {
        return DN_OK;
    }
    record->number = reader->number++;
    record->reason = NULL;
    record->stable = false;
    if (state == DN_CSV_RECORD && reader->csv.n_fields == reader->csv.n_expected) {
        take_fields(reader, record);
    } else {
        spoil(reader, state, record);
    }
    *partition = dn_record_place(record, reader->key, reader->n_partitions);
    return DN_OK;
}

static dn_progress csv_progress(const dn_reader *reader) {
    dn_progress progress;
    dn_stream_progress(reader->feed.stream, &progress.done, &progress.total);
    return progress;
}

const dn_reader_ops dn_reader_csv = {"csv", csv_open, csv_next, csv_progress, csv_close};
