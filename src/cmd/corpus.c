#include "source/corpus.h"

#include "cmd/cmd.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { OPT_SEED = 256, OPT_BAD, OPT_TRUTH, OPT_PARTITIONS, OPT_KEY, OPT_FIELD };

static const char help[] =
    "Usage: dunlin corpus describe FILE [OPTIONS]\n"
    "       dunlin corpus pack FILE -o PACKED.h5 [OPTIONS]\n"
    "       dunlin corpus generate -n ROWS -o FILE [--seed S] [--bad SHARE] [--truth FILE]\n\n"
    "describe counts what is in a corpus (CSV, JSON Lines or packed; plain, gzip, zstd or xz); "
    "pack writes it in Dunlin's\n"
    "own form, which replays fastest; generate writes tweet-like JSON Lines, the same bytes on "
    "every machine.\n\n"
    "  -o FILE                where to write\n"
    "  -n, --rows ROWS        generate: records (10k, 1M)\n"
    "      --seed S           generate: another stream (default 1)\n"
    "      --bad SHARE        generate: share of bad records (0.01 or 1%)\n"
    "      --truth FILE       generate: what is known of each record, as JSON Lines\n"
    "      --partitions N     describe, pack: number of partitions (default 12)\n"
    "      --partition-by KEY language+text, language, hashtag, author or text\n"
    "      --field NAME=FIELD what a column is called in the corpus (text=tweet_text; may be "
    "repeated)\n\n"
    "Examples:\n"
    "  dunlin corpus describe tweets.csv.xz\n"
    "  dunlin corpus pack tweets.csv.xz -o tweets.h5\n"
    "  dunlin corpus generate -n 1M -o million.jsonl\n\n"
    "Exit status: 0 done, 65 the corpus is damaged, 66 not there, 73 and 74 it cannot be "
    "written.\n";

typedef struct corpus_arguments {
    const char *out;
    dn_generate_options generate;
    dn_corpus_options corpus;
} corpus_arguments;

static void print_time(const char *name, int64_t ms) {
    time_t seconds = (time_t)(ms / 1000);
    struct tm utc;
    char text[32] = "unknown";
    if (ms != INT64_MIN && gmtime_r(&seconds, &utc)) {
        strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc);
    }
    printf("%s %s\n", name, text);
}

static void print_report(const char *path, const dn_corpus_report *report) {
    printf("%s: %s, %lld records, %lld of them bad\n", path, report->format,
           (long long)report->n_records, (long long)report->n_bad);
    for (int i = 0; i < report->n_reasons; i++) {
        printf("  bad: %-24s %lld\n", report->reason[i].reason, (long long)report->reason[i].n);
    }
    int64_t good = report->n_records - report->n_bad;
    printf("text %.1f bytes on average, %.1f MB in all\n",
           good ? (double)report->text_bytes / (double)good : 0.0,
           (double)report->text_bytes / 1e6);
    print_time("first", report->first_ms);
    print_time("last ", report->last_ms);
    printf("largest of %d partitions: %lld records (%.1f %%)\n", report->n_partitions,
           (long long)report->largest,
           report->n_records ? 100.0 * (double)report->largest / (double)report->n_records : 0.0);
}

static dn_status describe(const char *path, const corpus_arguments *arguments) {
    dn_corpus_report report = {0};
    dn_status status = dn_corpus_describe(path, &arguments->corpus, &report);
    if (report.n_records) {
        print_report(path, &report);
    }
    return status;
}

static dn_status pack(const char *path, const corpus_arguments *arguments) {
    if (!arguments->out) {
        return dn_cmd_usage("corpus", "pack needs -o PACKED.h5");
    }
    dn_corpus_report report = {0};
    DN_TRY(dn_corpus_pack(path, arguments->out, &arguments->corpus, &report));
    print_report(path, &report);
    return DN_OK;
}

static dn_status generate(const corpus_arguments *arguments) {
    if (!arguments->out || arguments->generate.n_rows <= 0) {
        return dn_cmd_usage("corpus", "generate needs -n ROWS and -o FILE");
    }
    return dn_generate(arguments->out, &arguments->generate);
}

static dn_status parse_key(const char *word, dn_key *key) {
    for (int i = 0; dn_key_names[i]; i++) {
        if (strcmp(dn_key_names[i], word) == 0) {
            *key = (dn_key)i;
            return DN_OK;
        }
    }
    return DN_FAIL(USAGE,
                   "--partition-by %s: is none of language+text, language, hashtag, author, text",
                   word);
}

static dn_status parse_share(const char *text, double *share) {
    char *end;
    double value = strtod(text, &end);
    value = strcmp(end, "%") == 0 ? value / 100 : value;
    if (end == text || (*end && strcmp(end, "%") != 0) || !(value >= 0 && value <= 1)) {
        return DN_FAIL(USAGE, "--bad %s: is no share between 0 and 1", text);
    }
    *share = value;
    return DN_OK;
}

static dn_status parse_field(const char *text, dn_map *fields) {
    const char *sign = strchr(text, '=');
    if (!sign) {
        return DN_FAIL(USAGE, "--field %s: written as NAME=FIELD", text);
    }
    char name[64];
    snprintf(name, sizeof name, "%.*s", (int)(sign - text), text);
    dn_map_put(fields, name, sign + 1);
    return DN_OK;
}

static dn_status take(int letter, const char *value, corpus_arguments *out) {
    int64_t number;
    switch (letter) {
    case 'o':
        out->out = value;
        return DN_OK;
    case 'n':
        return dn_parse_count(value, &out->generate.n_rows);
    case OPT_SEED:
        DN_TRY(dn_parse_count(value, &number));
        out->generate.seed = (uint64_t)number;
        return DN_OK;
    case OPT_BAD:
        return parse_share(value, &out->generate.bad_share);
    case OPT_TRUTH:
        out->generate.truth = value;
        return DN_OK;
    case OPT_PARTITIONS:
        DN_TRY(dn_parse_count(value, &number));
        out->corpus.n_partitions = (int32_t)number;
        return number > 0 && number <= 4096
                   ? DN_OK
                   : DN_FAIL(USAGE, "--partitions %s: is not within 1 and 4096", value);
    case OPT_KEY:
        return parse_key(value, &out->corpus.key);
    case OPT_FIELD:
        return parse_field(value, &out->corpus.fields);
    default:
        return DN_FATAL;
    }
}

static dn_status dispatch(int n, char **words, const corpus_arguments *arguments) {
    if (n == 1 && strcmp(words[0], "generate") == 0) {
        return generate(arguments);
    }
    if (n == 2 && strcmp(words[0], "describe") == 0) {
        return describe(words[1], arguments);
    }
    if (n == 2 && strcmp(words[0], "pack") == 0) {
        return pack(words[1], arguments);
    }
    return dn_cmd_usage("corpus", "written as: corpus describe FILE, corpus pack FILE -o OUT, "
                                  "corpus generate -n ROWS -o FILE");
}

static dn_status run(int argc, char **argv) {
    static const struct option options[] = {{"rows", required_argument, NULL, 'n'},
                                            {"seed", required_argument, NULL, OPT_SEED},
                                            {"bad", required_argument, NULL, OPT_BAD},
                                            {"truth", required_argument, NULL, OPT_TRUTH},
                                            {"partitions", required_argument, NULL, OPT_PARTITIONS},
                                            {"partition-by", required_argument, NULL, OPT_KEY},
                                            {"field", required_argument, NULL, OPT_FIELD},
                                            {NULL, 0, NULL, 0}};
    corpus_arguments arguments = {.generate.seed = 1};
    optind = 1;
    for (int letter; (letter = dn_cmd_getopt(argc, argv, ":o:n:", options)) != -1;) {
        DN_TRY(take(letter, optarg, &arguments));
    }
    return dispatch(argc - optind, argv + optind, &arguments);
}

const dn_command dn_cmd_corpus = {"corpus", "describe, pack or generate a recorded corpus", help,
                                  run};
