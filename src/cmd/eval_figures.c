/** Figures as a table, as JSON and as CSV. */
#include "base/memory.h"
#include "cmd/eval.h"
#include "io/json_write.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const dn_figure_kind_names[DN_FIGURE_KINDS] = {
    [DN_FIGURE_MODEL] = "model", [DN_FIGURE_ABSENT] = "absent", [DN_FIGURE_REFERENCE] = "reference",
    [DN_FIGURE_SLICE] = "slice", [DN_FIGURE_OUTSIDE] = "outside", [DN_FIGURE_PAIR] = "pair",
    [DN_FIGURE_OTHER] = "other split"};

dn_figure *dn_figures_add(dn_figures *figures, dn_figure_kind kind, const char *task,
                          const char *model) {
    figures->figure = dn_grow(figures->figure, (size_t)figures->n + 1, sizeof *figures->figure);
    dn_figure *figure = &figures->figure[figures->n++];
    *figure = (dn_figure){.kind = kind,
                          .task = task,
                          .model = model,
                          .n = -1,
                          .first_only = -1,
                          .second_only = -1,
                          .value = NAN,
                          .low = NAN,
                          .high = NAN,
                          .error = NAN,
                          .noise = NAN,
                          .linear = NAN,
                          .undecided = NAN,
                          .threshold = NAN,
                          .p = NAN};
    return figure;
}

/* ---- JSON and CSV: the same fields ---- */

/** A field: its name and where it is; shares as they are. */
typedef enum field_type { TEXT, ARRAY, COUNT, SHARE } field_type;
typedef struct field {
    const char *name;
    field_type type;
    size_t offset;
} field;

#define AT(member) offsetof(dn_figure, member)
static const field fields[] = {
    {"task", TEXT, AT(task)},
    {"model", TEXT, AT(model)},
    {"split", TEXT, AT(split)},
    {"slice", ARRAY, AT(slice)},
    {"metric", ARRAY, AT(metric)},
    {"n", COUNT, AT(n)},
    {"value", SHARE, AT(value)},
    {"low", SHARE, AT(low)},
    {"high", SHARE, AT(high)},
    {"calibration_error", SHARE, AT(error)},
    {"calibration_noise", SHARE, AT(noise)},
    {"undecided", SHARE, AT(undecided)},
    {"linear", SHARE, AT(linear)},
    {"threshold", SHARE, AT(threshold)},
    {"first_only", COUNT, AT(first_only)},
    {"second_only", COUNT, AT(second_only)},
    {"p", SHARE, AT(p)},
};
enum { N_FIELDS = sizeof fields / sizeof *fields };

static const char *text_at(const dn_figure *f, const field *row) {
    const char *at = (const char *)f + row->offset;
    const char *text = row->type == TEXT ? *(const char *const *)(const void *)at : at;
    return text && *text ? text : NULL;
}

static int count_at(const dn_figure *f, const field *row) {
    return *(const int *)(const void *)((const char *)f + row->offset);
}

static double share_at(const dn_figure *f, const field *row) {
    return *(const double *)(const void *)((const char *)f + row->offset);
}

static void write_field(const dn_figure *f, const field *row, dn_out *out) {
    if (row->type == COUNT && count_at(f, row) >= 0) {
        dn_out_key(out, row->name);
        dn_out_i64(out, count_at(f, row));
    } else if (row->type == SHARE && !isnan(share_at(f, row))) {
        dn_out_key(out, row->name);
        dn_out_f64(out, share_at(f, row));
    } else if (row->type <= ARRAY && text_at(f, row)) {
        dn_out_key(out, row->name);
        dn_out_string(out, dn_span_of(text_at(f, row)));
    }
}

static void print_json(const dn_figures *figures, const dn_suite *suite) {
    dn_out out = {0};
    dn_out_open(&out, '{');
    dn_out_key(&out, "suite");
    dn_out_string(&out, dn_span_of(suite->path));
    dn_out_key(&out, "texts");
    dn_out_i64(&out, suite->n_rows);
    dn_out_key(&out, "figures");
    dn_out_open(&out, '[');
    for (int i = 0; i < figures->n; i++) {
        dn_out_open(&out, '{');
        dn_out_key(&out, "kind");
        dn_out_string(&out, dn_span_of(dn_figure_kind_names[figures->figure[i].kind]));
        for (int k = 0; k < N_FIELDS; k++) {
            write_field(&figures->figure[i], &fields[k], &out);
        }
        dn_out_close(&out, '}');
    }
    dn_out_close(&out, ']');
    dn_out_close(&out, '}');
    dn_out_newline(&out);
    fwrite(out.ptr, 1, out.len, stdout);
    dn_out_free(&out);
}

/** RFC 4180: quoted where it holds a comma, a quote or a line's end. */
static void print_csv_text(const char *text) {
    if (!strpbrk(text, ",\"\r\n")) {
        fputs(text, stdout);
        return;
    }
    putchar('"');
    for (; *text; text++) {
        fputs(*text == '"' ? "\"\"" : (const char[]){*text, '\0'}, stdout);
    }
    putchar('"');
}

static void print_csv_field(const dn_figure *f, const field *row) {
    putchar(',');
    if (row->type == COUNT && count_at(f, row) >= 0) {
        printf("%d", count_at(f, row));
    } else if (row->type == SHARE && !isnan(share_at(f, row))) {
        printf("%.6g", share_at(f, row));
    } else if (row->type <= ARRAY && text_at(f, row)) {
        print_csv_text(text_at(f, row));
    }
}

static void print_csv(const dn_figures *figures, const dn_suite *suite) {
    (void)suite;
    printf("kind");
    for (int k = 0; k < N_FIELDS; k++) {
        printf(",%s", fields[k].name);
    }
    printf("\n");
    for (int i = 0; i < figures->n; i++) {
        fputs(dn_figure_kind_names[figures->figure[i].kind], stdout);
        for (int k = 0; k < N_FIELDS; k++) {
            print_csv_field(&figures->figure[i], &fields[k]);
        }
        printf("\n");
    }
}

/* ---- table ---- */

static void print_interval(const dn_figure *f) {
    printf("  %5.1f to %4.1f", 100 * f->low, 100 * f->high);
}

static void print_count(int n) {
    n < 0 ? printf(" %6s", "") : printf(" %6d", n);
}

/** The task's name on the first of its lines. */
static const char *once(const dn_figure *f, const char **last) {
    bool same = *last && strcmp(*last, f->task) == 0;
    *last = f->task;
    return same ? "" : f->task;
}

static void print_value(const dn_figure *f, const char **last) {
    printf("%-18s %-26s", once(f, last), f->model);
    print_count(f->n);
    if (f->kind == DN_FIGURE_ABSENT) {
        printf("  no head of that name\n");
        return;
    }
    printf("%7.1f", 100 * f->value);
    if (!isnan(f->low)) {
        print_interval(f);
        isnan(f->error) ? printf("  %13s", "") : printf("  %5.3f (%5.3f)", f->error, f->noise);
        printf("  %s", f->metric);
    }
    isnan(f->linear) ? 0 : printf(", %.1f %% linear", 100 * f->linear);
    isnan(f->undecided) ? printf("\n") : printf(", %.1f %% und\n", 100 * f->undecided);
}

static void print_slice(const dn_figure *f, const char **last) {
    printf("%-18s %-26s", once(f, last), f->slice);
    print_count(f->n);
    isnan(f->value)
        ? printf("  no rate: none of the metric's labels occurs\n")
        : printf("%7.1f  %5.1f to %4.1f\n", 100 * f->value, 100 * f->low, 100 * f->high);
}

static void print_outside(const dn_figure *f, const char **last) {
    printf("%-14s %-26s", once(f, last), f->model);
    print_count(f->n);
    printf("%7.1f", 100 * f->value);
    print_interval(f);
    printf("  %s", f->metric);
    if (!isnan(f->threshold)) {
        printf(", those below %.3f", f->threshold);
    }
    isnan(f->undecided) ? printf("\n") : printf("; %.1f %% und\n", 100 * f->undecided);
}

static void print_pair(const dn_figure *f, const char **last) {
    printf("%-18s %-26s", once(f, last), f->model);
    print_count(f->n);
    printf("%+7.1f  %+5.1f to %+4.1f  %5d against %-5d  p %.2g\n", 100 * f->value, 100 * f->low,
           100 * f->high, f->second_only, f->first_only, f->p);
}

static void print_other(const dn_figure *f, const char **last) {
    printf("%-18s %-26s", once(f, last), f->model);
    printf("%14.1f  split: %s\n", 100 * f->value, f->split);
}

/** A section of the table: figures of these kinds, under a title, if there are any. */
typedef struct section {
    const char *title;
    unsigned kinds; /**< 1 << kind, each */
    void (*print)(const dn_figure *f, const char **last);
} section;

static const section sections[] = {
    {"task               model                           n  value  95 % interval  calibration*  "
     "metric",
     1u << DN_FIGURE_MODEL | 1u << DN_FIGURE_ABSENT | 1u << DN_FIGURE_REFERENCE, print_value},
    {"Texts that belong to no label, by their likeness to the best one", 1u << DN_FIGURE_OUTSIDE,
     print_outside},
    {"Against the first model, on the same texts: difference of the metric, texts that only one "
     "of them has right",
     1u << DN_FIGURE_PAIR, print_pair},
    {"Slices of 20 texts and more, first model (json and csv have all)", 1u << DN_FIGURE_SLICE,
     print_slice},
    {"Published figures on OTHER SPLITS, not to be compared with those above",
     1u << DN_FIGURE_OTHER, print_other},
};

static void print_section(const dn_figures *figures, const section *s) {
    const char *last = NULL;
    bool titled = false;
    for (int i = 0; i < figures->n; i++) {
        const dn_figure *f = &figures->figure[i];
        bool wanted = f->kind != DN_FIGURE_SLICE || f->model == figures->figure[0].model;
        if (wanted && s->kinds >> f->kind & 1) {
            if (!titled) {
                printf("\n%s\n", s->title);
                titled = true;
            }
            s->print(f, &last);
        }
    }
}

static void print_table(const dn_figures *figures, const dn_suite *suite) {
    printf("%s: %d texts, %d tasks; percent\n", suite->path, suite->n_rows, suite->n_tasks);
    for (size_t i = 0; i < sizeof sections / sizeof *sections; i++) {
        print_section(figures, &sections[i]);
    }
    printf("\n* expected calibration error, and in brackets what chance alone makes of so few "
           "texts\n");
}

void dn_figures_print(const dn_figures *figures, const dn_suite *suite, dn_cmd_format format) {
    static void (*const prints[])(const dn_figures *,
                                  const dn_suite *) = {[DN_FORMAT_TABLE] = print_table,
                                                       [DN_FORMAT_JSON] = print_json,
                                                       [DN_FORMAT_CSV] = print_csv};
    prints[format](figures, suite);
}
