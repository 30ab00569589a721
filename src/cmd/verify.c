#include "sink/verify.h"

#include "cmd/cmd.h"
#include "io/json_write.h"

#include <stdio.h>

enum { OPT_OUTPUT = 256 };

static const char help[] = "Usage: dunlin verify OUTPUT [--output table|json]\n\n"
                           "Reads every result file of an output folder and checks hashes, "
                           "lengths, that the ranges of offsets follow each other\n"
                           "without hole or overlap, and that records_in = rows_out + "
                           "repeats_dropped + filtered + dead_letters.\n\n"
                           "Examples:\n"
                           "  dunlin verify out/tweets\n"
                           "  dunlin verify out/tweets --output json\n"
                           "  dunlin verify out/tweets && cp -r out/tweets /archive\n\n"
                           "Exit status: 0 all is whole, 65 something is missing or damaged (each "
                           "named on standard error), 66 nothing there.\n";

static void say_problem(void *ctx, const char *path, const char *problem) {
    (void)ctx;
    fprintf(stderr, "%s: %s\n", path, problem);
}

static void print_table(const char *path, const dn_verify_sums *sums) {
    printf("%s: %lld files, %.1f MB, %lld partitions with rows\n", path, (long long)sums->files,
           (double)sums->bytes / 1e6, (long long)sums->partitions);
    printf("records in %lld = rows out %lld + repeats %lld + filtered %lld + dead letters %lld\n",
           (long long)sums->counts.records_in, (long long)sums->counts.rows_out,
           (long long)sums->counts.repeats_dropped, (long long)sums->counts.filtered,
           (long long)sums->counts.dead_letters);
    printf("dead letter files hold %lld records; content %016llx; %lld problems\n",
           (long long)sums->letters, (unsigned long long)sums->content, (long long)sums->problems);
}

static void key_i64(dn_out *out, const char *key, int64_t value) {
    dn_out_key(out, key);
    dn_out_i64(out, value);
}

static void print_json(const char *path, const dn_verify_sums *sums) {
    dn_out out = {0};
    char content[17];
    snprintf(content, sizeof content, "%016llx", (unsigned long long)sums->content);
    dn_out_open(&out, '{');
    dn_out_key(&out, "output");
    dn_out_string(&out, dn_span_of(path));
    key_i64(&out, "files", sums->files);
    key_i64(&out, "bytes", sums->bytes);
    key_i64(&out, "partitions", sums->partitions);
    key_i64(&out, "records_in", sums->counts.records_in);
    key_i64(&out, "rows_out", sums->counts.rows_out);
    key_i64(&out, "repeats_dropped", sums->counts.repeats_dropped);
    key_i64(&out, "filtered", sums->counts.filtered);
    key_i64(&out, "dead_letters", sums->counts.dead_letters);
    key_i64(&out, "dead_letter_records", sums->letters);
    key_i64(&out, "problems", sums->problems);
    dn_out_key(&out, "content");
    dn_out_string(&out, dn_span_of(content));
    dn_out_close(&out, '}');
    dn_out_newline(&out);
    fwrite(out.ptr, 1, out.len, stdout);
    dn_out_free(&out);
}

static dn_status run(int argc, char **argv) {
    static const struct option options[] = {{"output", required_argument, NULL, OPT_OUTPUT},
                                            {NULL, 0, NULL, 0}};
    dn_cmd_format format = DN_FORMAT_TABLE;
    optind = 1;
    for (int letter; (letter = dn_cmd_getopt(argc, argv, ":", options)) != -1;) {
        DN_TRY(letter == OPT_OUTPUT ? dn_cmd_parse_format(optarg, &format) : DN_FATAL);
    }
    if (argc - optind != 1 || format == DN_FORMAT_CSV) {
        return dn_cmd_usage("verify", "written as: verify OUTPUT [--output table|json]");
    }
    dn_verify_sums sums;
    dn_status status = dn_verify(argv[optind], say_problem, NULL, &sums);
    if (status == DN_OK || dn_failure_last()->error == DN_E_VERIFY) {
        (format == DN_FORMAT_JSON ? print_json : print_table)(argv[optind], &sums);
    }
    return status;
}

const dn_command dn_cmd_verify = {"verify", "prove that an output folder is whole", help, run};
