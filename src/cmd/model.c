/** `dunlin model`: its options and the table of its subcommands. */
#include "base/home.h"
#include "base/memory.h"
#include "cmd/model_parts.h"
#include "model/grams.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
    "Usage: dunlin model tokenize DIR < texts\n"
    "       dunlin model score DIR [--backend NAME] [--cascade LINEAR] < texts\n"
    "       dunlin model describe DIR [--backend NAME]\n"
    "       dunlin model check DIR [--backend NAME]\n"
    "       dunlin model import FROM TO [--head NAME] [--normalise RULE] [--max-tokens N] "
    "[--windows N]\n"
    "                    [--type bf16|keep]\n"
    "       dunlin model bench DIR [--backend NAME] [--batch N] [--threads N] [--runs N] [--output "
    "FORM]\n"
    "       dunlin model compare DIR --against NAME [--backend NAME] [--texts FILE | --suite "
    "SUITE] "
    "[--max-flips PERCENT]\n"
    "           [--max-points POINTS] [--output FORM]\n"
    "       dunlin model eval DIR SUITE [--backend NAME,...] [--against DIR] [--cascade LINEAR] "
    "[--output FORM]\n"
    "       dunlin model calibrate DIR SUITE [--backend NAME]\n"
    "       dunlin model calibrate LINEAR SUITE --cascade ENCODER [--max-points POINTS] [--backend "
    "NAME]\n"
    "       dunlin model fit DIR --head NAME --examples FILE [--labels FILE] [--text COLUMN] "
    "[--label "
    "COLUMN] [--out TO]\n"
    "                        [--kind auto|encoder|ngrams] [--keep PERCENT] [--backend NAME]\n"
    "       dunlin model fit DIR --suite SUITE [--out TO] [--backend NAME]\n"
    "       dunlin model outliers DIR --texts FILE [--backend NAME] > outliers.json\n\n"
    "  tokenize   each line of standard input as {\"ids\": [101, ...]}, special tokens included, "
    "the text as it is\n"
    "             and whole\n"
    "  score      each line as {\"labels\": {HEAD: LABEL}, \"scores\": {HEAD: {LABEL: "
    "PROBABILITY}}}, the text normalised\n"
    "             and cut as the model says; with \"entities\" and \"embeddings\" where it has "
    "such "
    "heads\n"
    "  describe   shape, weights and heads\n"
    "  check      opens all files, scores a probe text, compares it with the scalar kernels; says "
    "what is ignored\n"
    "  import     makes a Dunlin directory of a Hugging Face one: checks it, copies what is "
    "needed, adds the \"dunlin\"\n"
    "             object to config.json\n"
    "  bench      tokens/s at the lengths of tweets, and the share of the measured peak; of a "
    "model on n-grams texts/s\n"
    "  compare    two backends or precisions on the same texts: largest logit difference and label "
    "flips of each head\n"
    "  eval       how good the heads are on labelled texts: the metric of each task with a 95 % "
    "interval, calibration,\n"
    "             slices, and two models or precisions text by text. SUITE is a file, or tweets, "
    "languages, mail, identity or samples\n"
    "             once `python3 datasets/suites.py` has made these\n"
    "  calibrate  fits a temperature (and shift) to each head that the suite has texts for: a "
    "score of "
    "0.8 is right in 8 of 10\n"
    "             cases, and writes it to DIR/config.json; labels stay as they are. With "
    "--cascade: "
    "above which score\n"
    "             each head of a linear model is sure, so that it may answer before the encoder, "
    "and "
    "no metric falls by\n"
    "             more than --max-points\n"
    "  fit        learns a head of one's own from labelled examples, 50 of each label or more: how "
    "good it will be on\n"
    "             other texts (cross-validation), which labels are confused, and with --out a copy "
    "of DIR with that head,\n"
    "             or a model on n-grams where that is better, which jobs use at once. FILE: JSON "
    "Lines, TSV or CSV with a header\n"
    "  outliers   which inputs of each layer int8 should keep apart, for DIR/outliers.json\n\n"
    "For score, describe, check, bench, eval and calibrate DIR may be a model on n-grams, as fit "
    "makes it.\n"
    "A line that is not UTF-8 gives {\"error\": ...}; the others go on, and the exit status is 65 "
    "at the end.\n\n"
    "Options:\n"
    "      --backend NAME     kernels: ref, cpu, cpu:avx2, int8, bf16 ... (default: the best of "
    "this machine); eval takes several: fp32,int8\n"
    "      --against NAME     compare: the other kernels; eval: another directory, on the same "
    "texts\n"
    "      --texts FILE       compare, outliers: a text a line (compare's default: random tokens "
    "at "
    "the lengths of\n"
    "                         tweets); bench of n-grams: instead of made-up tweets\n"
    "      --suite SUITE      compare: the labelled texts of a suite (see eval); also compares the "
    "metrics of the heads\n"
    "                         fit: a linear twin of DIR on n-grams, a head for each of its heads, "
    "to "
    "stand before it\n"
    "      --cascade DIR      eval, score: the linear model before DIR; calibrate: the encoder behind "
    "DIR\n"
    "      --max-flips N      compare: status 1 when more than N percent of a head's decisions flip "
    "(with --suite: 1)\n"
    "      --max-points N     compare --suite: status 1 when a metric differs by more than N "
    "points "
    "(default: 0.5)\n"
    "                         calibrate --cascade: what a metric may lose (default: 0.5)\n"
    "      --head NAME        import: what to call the checkpoint's head (default: label, entities "
    "or embedding)\n"
    "                         fit: what the new head is called\n"
    "      --examples FILE    fit: a text and a label a row\n"
    "      --labels FILE      fit: a label a line, where --examples has a text a line\n"
    "      --text COLUMN      fit: the column or key of the text (default: text)\n"
    "      --label COLUMN     fit: the column or key of the label (default: label)\n"
    "      --kind KIND        fit: encoder, a head on DIR's encoder; ngrams, a model of its own on "
    "words and letters, for\n"
    "                         the stage `linear`; auto, the better of the two (default: auto)\n"
    "      --out TO           fit: the directory that is made (default: none, only figures)\n"
    "      --normalise RULE   import: none or tweeteval (default: none)\n"
    "      --keep PERCENT     fit: texts as little like the examples as the rest of these get the "
    "label und: 95 means that\n"
    "                         95 % of the examples would keep theirs (default: all texts get a "
    "label)\n"
    "      --max-tokens N     import: longer texts are cut to this (default: all that the model "
    "takes)\n"
    "      --windows N        import: longer texts are read in up to N parts of that length "
    "(default: they are cut)\n"
    "      --type TYPE        import: bf16 halves fp32 weights, keep copies them (default: keep)\n"
    "      --batch N          bench: tokens of a micro-batch (default: 512, on a GPU what fills it)\n"
    "      --threads N        bench: model threads (default: 1)\n"
    "      --runs N           bench: timed runs of 0.3 s (default: 7)\n"
    "      --output FORM      bench, compare: table or json; eval: csv too (default: table)\n\n"
    "Examples:\n"
    "  echo 'what a lovely morning' | dunlin model score models/tweets\n"
    "  dunlin model import ~/downloads/twitter-roberta models/roberta --head sentiment "
    "--normalise tweeteval --type bf16\n"
    "  dunlin model compare models/tweets --against ref --texts texts.txt\n"
    "  dunlin model eval models/tweets tweets --backend fp32,int8\n"
    "  dunlin model fit models/tweets --head topic --examples mine.csv --out models/mine\n\n"
    "Exit status: 0 done, 1 compare is beyond a limit, 65 the model or a line is bad, 66 no such "
    "folder, 73 the new folder\n"
    "cannot be made, 74 input or output failed.\n";

enum { MAX_BATCH = 1 << 17, MAX_THREADS = 256, MAX_RUNS = 1000 };

/** An option, and where it is kept: as a word, or as a whole number up to `most`. */
typedef struct option_row {
    const char *name;
    int letter;
    size_t offset;
    int most; /**< 0: a word */
} option_row;

#define AT(field) offsetof(dn_model_options, field)
static const option_row rows[] = {
    {"cascade", 'd', AT(cascade), 0},
    {"examples", 'e', AT(examples), 0},
    {"labels", 'l', AT(labels), 0},
    {"text", 'x', AT(text), 0},
    {"label", 'c', AT(label), 0},
    {"out", 'u', AT(out), 0},
    {"kind", 'i', AT(kind), 0},
    {"backend", 'b', AT(backend), 0},
    {"against", 'a', AT(against), 0},
    {"texts", 't', AT(texts), 0},
    {"suite", 's', AT(suite), 0},
    {"max-flips", 'f', AT(max_flips), 0},
    {"max-points", 'p', AT(max_points), 0},
    {"head", 'h', AT(head), 0},
    {"normalise", 'n', AT(normalise), 0},
    {"type", 'y', AT(type), 0},
    {"max-tokens", 'm', AT(max_tokens), MAX_BATCH},
    {"windows", 'w', AT(windows), DN_MAX_WINDOWS},
    {"keep", 'q', AT(keep), 99},
    {"batch", 'k', AT(batch), MAX_BATCH},
    {"threads", 'j', AT(threads), MAX_THREADS},
    {"runs", 'r', AT(runs), MAX_RUNS},
};
enum { N_ROWS = sizeof rows / sizeof *rows, OUTPUT = 'o' };

typedef struct action {
    const char *name, *letters; /**< of the options it takes */
    const char *operands;       /**< as they are written: one or two words */
    bool csv;                   /**< --output csv too */
    dn_status (*run)(const dn_model_options *options);
    dn_status (*run_grams)(const dn_model_options *options); /**< of a model on n-grams; NULL: no */
} action;

static const action actions[] = {
    {"tokenize", "", "DIR", false, dn_model_cmd_tokenize, NULL},
    {"score", "bd", "DIR", false, dn_model_cmd_score, dn_model_cmd_score},
    {"describe", "b", "DIR", false, dn_model_cmd_describe, dn_grams_cmd_describe},
    {"check", "b", "DIR", false, dn_model_cmd_check, dn_grams_cmd_check},
    {"import", "hnmwy", "FROM TO", false, dn_model_cmd_import, NULL},
    {"bench", "bkjrot", "DIR", false, dn_model_cmd_bench, dn_grams_cmd_bench},
    {"compare", "batsfpo", "DIR", false, dn_model_cmd_compare, NULL},
    {"eval", "baod", "DIR SUITE", true, dn_model_cmd_eval, dn_model_cmd_eval},
    {"calibrate", "bdp", "DIR SUITE", false, dn_model_cmd_calibrate, dn_model_cmd_calibrate},
    {"fit", "bhelxcuisq", "DIR", false, dn_model_cmd_fit, NULL},
    {"outliers", "bt", "DIR", false, dn_model_cmd_outliers, NULL},
    {0},
};

static dn_status read_value(const option_row *row, const char *text, dn_model_options *options) {
    char *at = (char *)options + row->offset;
    if (!row->most) {
        *(const char **)(void *)at = text;
        return DN_OK;
    }
    char *rest;
    errno = 0;
    long value = strtol(text, &rest, 10);
    if (errno || rest == text || *rest || value < 1 || value > row->most) {
        return dn_cmd_usage("model", "--%s %s: is not a whole number from 1 to %d", row->name, text,
                            row->most);
    }
    *(int *)(void *)at = (int)value;
    return DN_OK;
}

/** Reads the options; the letters of those that were given go to `given`. */
static dn_status read_options(int argc, char **argv, dn_model_options *options, char *given) {
    struct option names[N_ROWS + 2] = {{0}};
    for (int i = 0; i < N_ROWS; i++) {
        names[i] = (struct option){rows[i].name, required_argument, NULL, rows[i].letter};
    }
    names[N_ROWS] = (struct option){"output", required_argument, NULL, OUTPUT};
    optind = 1;
    for (int letter; (letter = dn_cmd_getopt(argc, argv, ":", names)) != -1;) {
        if (letter == '?') {
            return DN_FATAL;
        }
        if (letter == OUTPUT) {
            DN_TRY(dn_cmd_parse_format(optarg, &options->format));
        }
        for (int i = 0; i < N_ROWS; i++) {
            if (rows[i].letter == letter) {
                DN_TRY(read_value(&rows[i], optarg, options));
            }
        }
        if (!strchr(given, letter)) {
            given[strlen(given)] = (char)letter;
        }
    }
    return DN_OK;
}

static const char *option_name(char letter) {
    for (int i = 0; i < N_ROWS; i++) {
        if (rows[i].letter == letter) {
            return rows[i].name;
        }
    }
    return "output";
}

static dn_status run_on_grams(const action *a, const dn_model_options *options) {
    if (!a->run_grams) {
        return DN_FAIL(CONFIG, "%s: is a model on n-grams, and model %s is for encoders",
                       options->dir, a->name);
    }
    if (options->backend && !options->against && !options->cascade) {
        return dn_cmd_usage("model", "--backend %s: a model on n-grams has no kernels to choose",
                            options->backend);
    }
    return a->run_grams(options);
}

static dn_status run_action(const action *a, int n, char **operand, dn_model_options *options,
                            const char *given) {
    if (n != (strchr(a->operands, ' ') ? 2 : 1)) {
        return dn_cmd_usage("model", "written as: model %s %s", a->name, a->operands);
    }
    const char *foreign = given + strspn(given, a->letters);
    if (*foreign) {
        return dn_cmd_usage("model", "--%s is not an option of model %s", option_name(*foreign),
                            a->name);
    }
    if (options->format == DN_FORMAT_CSV && !a->csv) {
        return dn_cmd_usage("model", "--output csv: model %s writes table or json", a->name);
    }
    options->dir = dn_home_find(operand[0]);
    options->to = n > 1 ? operand[1] : NULL;
    dn_status status =
        dn_gram_model_found(options->dir) ? run_on_grams(a, options) : a->run(options);
    free(options->dir);
    return status;
}

static dn_status run(int argc, char **argv) {
    dn_model_options options = {0};
    char given[N_ROWS + 2] = "";
    DN_TRY(read_options(argc, argv, &options, given));
    if (optind == argc) {
        return dn_cmd_usage("model", "written as: model ACTION DIR");
    }
    for (const action *a = actions; a->name; a++) {
        if (strcmp(a->name, argv[optind]) == 0) {
            return run_action(a, argc - optind - 1, argv + optind + 1, &options, given);
        }
    }
    return dn_cmd_usage("model",
                        "'%s' is none of tokenize, score, describe, check, import, bench, compare, "
                        "eval, calibrate, fit, outliers",
                        argv[optind]);
}

const dn_command dn_cmd_model = {
    "model", "import, check, describe and measure a model; tokenise or score lines of text", help,
    run};
