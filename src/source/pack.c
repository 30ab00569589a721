/* Counting a corpus, and writing it as the packed form. */
#include "base/memory.h"
#include "io/h5.h"
#include "io/publish.h"
#include "io/sha256.h"
#include "source/corpus.h"
#include "source/packed.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PARTITIONS = 12, BYTES_PER_WRITE = 1 << 20 };

const char *const dn_packed_paths[DN_PACKED_COLUMNS] = {
    "/records/user", "/records/text", "/records/language", "/bad/reason", "/bad/detail", "/bad/raw",
};

typedef dn_status visitor(void *ctx, const dn_record *record, int32_t partition);

/** Everything the first pass learns: sizes of all datasets, and the partition of each record. */
typedef struct corpus_survey {
    dn_corpus_report report;
    uint64_t bytes[DN_PACKED_COLUMNS];
    uint64_t *per_partition;
    uint16_t *partition; /**< [n_records], for the index; NULL when none is wanted */
    size_t capacity;
    bool wants_index;
} corpus_survey;

static int32_t partitions_of(const dn_corpus_options *options) {
    return options->n_partitions > 0 ? options->n_partitions : PARTITIONS;
}

static dn_status read_corpus(const char *path, const dn_corpus_options *options, visitor *visit,
                             void *ctx, const char **format) {
    dn_status status;
    const dn_reader_ops *ops;
    dn_reader *reader;
    dn_reader_spec spec = {.path = path,
                           .fields = &options->fields,
                           .key = options->key,
                           .n_partitions = partitions_of(options),
                           .size = 1};
    DN_TRY(dn_reader_choose(path, options->format, &ops));
    DN_TRY(ops->open(&spec, &reader));
    *format = ops->name;
    for (;;) {
        dn_record record;
        int32_t partition;
        bool end = false;
        DN_TRY_GO(ops->next(reader, &record, &partition, &end), done);
        if (end) {
            break;
        }
        DN_TRY_GO(visit(ctx, &record, partition), done);
    }
done:
    ops->close(reader);
    return status;
}

static void columns_of(const dn_record *record, dn_span value[DN_PACKED_COLUMNS]) {
    value[DN_PACKED_USER] = record->user;
    value[DN_PACKED_TEXT] = record->text;
    value[DN_PACKED_LANGUAGE] = record->language;
    value[DN_PACKED_REASON] = dn_span_of(record->reason);
    value[DN_PACKED_DETAIL] = record->detail;
    value[DN_PACKED_RAW] = record->raw;
}

static void count_reason(dn_corpus_report *report, const char *reason) {
    int i = 0;
    while (i < report->n_reasons && strcmp(report->reason[i].reason, reason) != 0) {
        i++;
    }
    if (i == report->n_reasons && i < DN_CORPUS_REASONS) {
        report->reason[report->n_reasons++].reason = reason;
    }
    if (i < DN_CORPUS_REASONS) {
        report->reason[i].n++;
    }
}

static void note_time(dn_corpus_report *report, int64_t ms) {
    if (ms == INT64_MIN) {
        return;
    }
    report->first_ms =
        report->first_ms == INT64_MIN || ms < report->first_ms ? ms : report->first_ms;
    report->last_ms = ms > report->last_ms ? ms : report->last_ms;
}

static void note_partition(corpus_survey *survey, int32_t partition) {
    size_t n = (size_t)survey->report.n_records;
    int64_t held = (int64_t)++survey->per_partition[partition];
    survey->report.largest = held > survey->report.largest ? held : survey->report.largest;
    if (!survey->wants_index) {
        return;
    }
    if (n == survey->capacity) {
        survey->capacity = survey->capacity ? survey->capacity * 2 : 4096;
        survey->partition = dn_grow(survey->partition, survey->capacity, sizeof *survey->partition);
    }
    survey->partition[n] = (uint16_t)partition;
}

static dn_status count_record(void *ctx, const dn_record *record, int32_t partition) {
    corpus_survey *survey = ctx;
    dn_corpus_report *report = &survey->report;
    dn_span value[DN_PACKED_COLUMNS];
    columns_of(record, value);
    int first = record->reason ? DN_PACKED_OF_RECORDS : 0;
    int last = record->reason ? DN_PACKED_COLUMNS : DN_PACKED_OF_RECORDS;
    for (int c = first; c < last; c++) {
        survey->bytes[c] += value[c].len;
    }
    if (record->reason) {
        report->n_bad++;
        count_reason(report, record->reason);
    }
    note_time(report, record->created_ms);
    note_partition(survey, partition);
    report->n_records++;
    return DN_OK;
}

static dn_status make_survey(const char *path, const dn_corpus_options *options, bool wants_index,
                             corpus_survey *survey) {
    int32_t n = partitions_of(options);
    *survey = (corpus_survey){.wants_index = wants_index};
    survey->per_partition = dn_alloc_array((size_t)n, sizeof *survey->per_partition);
    dn_corpus_report *report = &survey->report;
    report->first_ms = report->last_ms = INT64_MIN;
    report->n_partitions = n;
    dn_status status = read_corpus(path, options, count_record, survey, &report->format);
    report->user_bytes = (int64_t)survey->bytes[DN_PACKED_USER];
    report->text_bytes = (int64_t)survey->bytes[DN_PACKED_TEXT];
    report->language_bytes = (int64_t)survey->bytes[DN_PACKED_LANGUAGE];
    return status;
}

static void survey_free(corpus_survey *survey) {
    free(survey->per_partition);
    free(survey->partition);
}

dn_status dn_corpus_describe(const char *path, const dn_corpus_options *options,
                             dn_corpus_report *report) {
    corpus_survey survey;
    dn_status status = make_survey(path, options, false, &survey);
    *report = survey.report;
    survey_free(&survey);
    return status;
}

/** The file being written. A column without rows has no dataset. */
typedef struct packing {
    dn_h5_file *file;
    dn_h5_column *created_at, *bad_number, *bytes[DN_PACKED_COLUMNS], *offsets[DN_PACKED_COLUMNS];
    uint64_t end[DN_PACKED_COLUMNS];
} packing;

static dn_status add(dn_h5_file *file, const char *path, const char *leaf, dn_h5_type type,
                     uint64_t n_rows, const char *long_name, dn_h5_column **column) {
    char full[64];
    snprintf(full, sizeof full, "%s%s", path, leaf);
    dn_h5_spec spec = {.path = full,
                       .type = type,
                       .width = 1,
                       .units = type == DN_H5_U8 ? "byte" : "",
                       .long_name = long_name,
                       .chunk_rows = type == DN_H5_U8 ? BYTES_PER_WRITE : 0,
                       .fixed_rows = n_rows};
    return n_rows ? dn_h5_add(file, &spec, column) : DN_OK;
}

static dn_status add_columns(packing *writer, const corpus_survey *survey) {
    uint64_t n = (uint64_t)survey->report.n_records, n_bad = (uint64_t)survey->report.n_bad;
    DN_TRY(add(writer->file, "/records/created_at", "", DN_H5_I64, n,
               "event time, milliseconds since 1970-01-01 UTC", &writer->created_at));
    DN_TRY(add(writer->file, "/bad/number", "", DN_H5_U64, n_bad, "numbers of the bad records",
               &writer->bad_number));
    for (int c = 0; c < DN_PACKED_COLUMNS; c++) {
        uint64_t rows = c < DN_PACKED_OF_RECORDS ? n : n_bad;
        const uint64_t zero = 0;
        if (rows) {
            DN_TRY(add(writer->file, dn_packed_paths[c], "/bytes", DN_H5_U8, survey->bytes[c],
                       "UTF-8, values one behind the other", &writer->bytes[c]));
            DN_TRY(add(writer->file, dn_packed_paths[c], "/offsets", DN_H5_U64, rows + 1,
                       "where each value begins in bytes", &writer->offsets[c]));
            DN_TRY(dn_h5_append(writer->offsets[c], &zero, 1));
        }
    }
    return DN_OK;
}

static dn_status write_column(packing *writer, int c, dn_span value) {
    if (value.len) {
        DN_TRY(dn_h5_append(writer->bytes[c], value.ptr, value.len));
    }
    writer->end[c] += value.len;
    return dn_h5_append(writer->offsets[c], &writer->end[c], 1);
}

static dn_status write_record(void *ctx, const dn_record *record, int32_t partition) {
    packing *writer = ctx;
    (void)partition;
    dn_span value[DN_PACKED_COLUMNS];
    columns_of(record, value);
    int last = record->reason ? DN_PACKED_COLUMNS : DN_PACKED_OF_RECORDS;
    for (int c = 0; c < last; c++) {
        bool empty = record->reason && c < DN_PACKED_OF_RECORDS;
        DN_TRY(write_column(writer, c, empty ? (dn_span){NULL, 0} : value[c]));
    }
    if (record->reason) {
        uint64_t number = (uint64_t)record->number;
        DN_TRY(dn_h5_append(writer->bad_number, &number, 1));
    }
    return dn_h5_append(writer->created_at, &record->created_ms, 1);
}

static dn_status write_index(const packing *writer, const corpus_survey *survey) {
    uint64_t n = (uint64_t)survey->report.n_records, begin = 0;
    int32_t n_partitions = survey->report.n_partitions;
    dn_h5_column *starts, *number = NULL;
    DN_TRY(add(writer->file, "/index/partition/starts", "", DN_H5_U64, (uint64_t)n_partitions + 1,
               "where each partition begins in number", &starts));
    DN_TRY(add(writer->file, "/index/partition/number", "", DN_H5_U64, n, "numbers by partition",
               &number));
    for (int32_t p = 0; p < n_partitions; p++) {
        DN_TRY(dn_h5_append(starts, &begin, 1));
        begin += survey->per_partition[p];
        for (uint64_t i = 0; i < n; i++) {
            if (survey->partition[i] == p) {
                DN_TRY(dn_h5_append(number, &i, 1));
            }
        }
    }
    return dn_h5_append(starts, &begin, 1);
}

static dn_status sha256_of(const char *path, char hex[DN_SHA256_HEX]) {
    struct stat about;
    dn_status status = DN_OK;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &about) != 0) {
        return DN_FAIL(NO_INPUT, "%s: cannot be opened: %s", path, strerror(errno));
    }
    size_t size = (size_t)about.st_size;
    void *bytes = size ? mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0) : NULL;
    if (bytes == MAP_FAILED) {
        status = DN_FAIL(IO, "%s: cannot be mapped: %s", path, strerror(errno));
    } else {
        status = dn_sha256((dn_span){bytes ? bytes : "", size}, hex);
    }
    if (size && bytes != MAP_FAILED) {
        munmap(bytes, size);
    }
    close(fd);
    return status;
}

static dn_status write_attributes(const packing *writer, const char *path,
                                  const dn_corpus_options *options, const corpus_survey *survey) {
    char hex[DN_SHA256_HEX];
    const char *slash = strrchr(path, '/');
    dn_h5_file *file = writer->file;
    DN_TRY(sha256_of(path, hex));
    DN_TRY(dn_h5_set_text(file, "/", "kind", DN_PACKED_KIND));
    DN_TRY(dn_h5_set_i64(file, "/", "version", DN_PACKED_VERSION));
    DN_TRY(dn_h5_set_i64(file, "/", "records", survey->report.n_records));
    DN_TRY(dn_h5_set_i64(file, "/", "bad", survey->report.n_bad));
    DN_TRY(dn_h5_set_i64(file, "/", "partitions", survey->report.n_partitions));
    DN_TRY(dn_h5_set_text(file, "/", "partition_by", dn_key_names[options->key]));
    DN_TRY(dn_h5_set_text(file, "/", "source", slash ? slash + 1 : path));
    DN_TRY(dn_h5_set_text(file, "/", "source_sha256", hex));
    return dn_h5_set_text(file, "/", "source_format", survey->report.format);
}

static dn_status write_file(const char *path, const char *part, const dn_corpus_options *options,
                            const corpus_survey *survey) {
    dn_status status;
    packing writer = {0};
    const char *format;
    DN_TRY(dn_h5_create(part, &writer.file));
    DN_TRY_GO(add_columns(&writer, survey), err_abandon);
    DN_TRY_GO(read_corpus(path, options, write_record, &writer, &format), err_abandon);
    DN_TRY_GO(write_index(&writer, survey), err_abandon);
    DN_TRY_GO(dn_h5_finish(writer.file), err_abandon);
    DN_TRY_GO(write_attributes(&writer, path, options, survey), err_abandon);
    return dn_h5_close(writer.file);
err_abandon:
    dn_h5_abandon(writer.file);
    return status;
}

dn_status dn_corpus_pack(const char *path, const char *out, const dn_corpus_options *options,
                         dn_corpus_report *report) {
    corpus_survey survey;
    char *part = dn_format("%s.part", out);
    dn_status status = make_survey(path, options, true, &survey);
    if (status == DN_OK && survey.report.n_partitions > UINT16_MAX) {
        status = DN_FAIL(CONFIG, "partitions: %d is too many, a packed corpus has at most %d",
                         survey.report.n_partitions, UINT16_MAX);
    }
    if (status == DN_OK) {
        status = write_file(path, part, options, &survey);
    }
    if (status == DN_OK) {
        status = dn_publish_replace(part, out);
    } else {
        unlink(part);
    }
    *report = survey.report;
    survey_free(&survey);
    free(part);
    return status;
}
