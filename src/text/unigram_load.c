/* Unigram from tokenizer.json, or from SentencePiece's own file as XLM-R has it. */
#include "base/memory.h"
#include "text/spm_model.h"
#include "text/unigram.h"
#include "text/white.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { MAX_TOKENS = 1 << 22, MAX_CONFIG_BYTES = 16 << 20 };

static int base64_digit(char c) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = c ? strchr(digits, c) : NULL;
    return at ? (int)(at - digits) : -1;
}

/* Bytes of base64 into `out`, which is as long as the text; false when it is none. */
static bool decode_base64(const char *text, char *out, size_t *size) {
    uint32_t bits = 0;
    int n_bits = 0;
    *size = 0;
    for (; *text && *text != '='; text++) {
        int digit = base64_digit(*text);
        if (digit < 0) {
            return false;
        }
        bits = bits << 6 | (uint32_t)digit;
        n_bits += 6;
        if (n_bits >= 8) {
            n_bits -= 8;
            out[(*size)++] = (char)(bits >> n_bits & 0xff);
        }
    }
    return strspn(text, "=") == strlen(text);
}

static dn_status read_charsmap(const dn_json_at *step, dn_form_step *out) {
    dn_json_at at;
    const char *text;
    size_t size;
    DN_TRY(dn_json_need(step, "precompiled_charsmap", DN_JSON_TEXT, &at));
    DN_TRY(dn_json_text(&at, &text));
    char *bytes = dn_alloc(strlen(text) + 1);
    dn_status status =
        !decode_base64(text, bytes, &size)
            ? dn_json_fail(&at, "is not base64")
            : dn_charsmap_init(&out->charsmap, (dn_span){bytes, size}, "precompiled_charsmap");
    free(bytes);
    return status;
}

static dn_status read_replace(const dn_json_at *step, dn_form_step *out) {
    dn_json_at pattern, at, content;
    const char *text, *to;
    DN_TRY(dn_json_need(step, "pattern", DN_JSON_OBJECT, &pattern));
    DN_TRY(dn_json_need(step, "content", DN_JSON_TEXT, &content));
    DN_TRY(dn_json_text(&content, &to));
    if (dn_json_find(&pattern, "Regex", &at)) {
        DN_TRY(dn_json_text(&at, &text));
        if (strcmp(text, " {2,}") != 0) {
            return dn_json_fail(&at, "'%.80s' is not supported; ' {2,}' is", text);
        }
        out->kind = DN_FORM_BLANKS;
    } else {
        DN_TRY(dn_json_need(&pattern, "String", DN_JSON_TEXT, &at));
        DN_TRY(dn_json_text(&at, &text));
        if (!text[0]) {
            return dn_json_fail(&at, "is empty");
        }
        out->kind = DN_FORM_REPLACE;
        out->from = dn_strdup(text);
    }
    out->to = dn_strdup(to);
    return DN_OK;
}

static dn_status read_strip(const dn_json_at *step, dn_form_step *out) {
    dn_json_at left, right;
    out->kind = DN_FORM_STRIP;
    DN_TRY(dn_json_need(step, "strip_left", DN_JSON_BOOL, &left));
    DN_TRY(dn_json_need(step, "strip_right", DN_JSON_BOOL, &right));
    DN_TRY(dn_json_bool(&left, &out->left));
    return dn_json_bool(&right, &out->right);
}

static const struct {
    const char *type;
    dn_status (*read)(const dn_json_at *step, dn_form_step *out);
} steps[] = {
    {"Precompiled", read_charsmap},
    {"Replace", read_replace},
    {"Strip", read_strip},
};

static dn_status read_step(const dn_json_at *step, dn_form *form) {
    const char *type;
    DN_TRY(dn_json_type(step, &type));
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        if (strcmp(steps[i].type, type) == 0) {
            return form->n < DN_FORM_STEPS ? steps[i].read(step, &form->step[form->n++])
                                           : dn_json_fail(step, "is one step too many");
        }
    }
    return dn_json_fail(step,
                        "'%s' is not supported with Unigram; Precompiled, Replace and Strip "
                        "are",
                        type);
}

static dn_status read_form(const dn_json_at *root, dn_form *form) {
    dn_json_at normalizer, list;
    const char *type;
    if (!dn_json_find(root, "normalizer", &normalizer)) {
        return DN_OK;
    }
    DN_TRY(dn_json_type(&normalizer, &type));
    if (strcmp(type, "Sequence") != 0) {
        return read_step(&normalizer, form);
    }
    DN_TRY(dn_json_need(&normalizer, "normalizers", DN_JSON_ARRAY, &list));
    for (size_t i = 0; i < dn_json_count(&list); i++) {
        dn_json_at item = dn_json_item(&list, i);
        DN_TRY(read_step(&item, form));
    }
    return DN_OK;
}

static dn_status read_prepend(const dn_json_at *metaspace, bool *prepend) {
    dn_json_at at;
    const char *scheme;
    if (!dn_json_find(metaspace, "prepend_scheme", &at)) {
        *prepend = true;
        return dn_json_find(metaspace, "add_prefix_space", &at) ? dn_json_bool(&at, prepend)
                                                                : DN_OK;
    }
    DN_TRY(dn_json_text(&at, &scheme));
    *prepend = strcmp(scheme, "always") == 0;
    return *prepend || strcmp(scheme, "never") == 0
               ? DN_OK
               : dn_json_fail(&at, "'%s' is not supported; always and never are", scheme);
}

static dn_status read_metaspace(const dn_json_at *metaspace, dn_unigram *u) {
    dn_json_at at;
    const char *type, *mark;
    int length = 0;
    DN_TRY(dn_json_type(metaspace, &type));
    if (strcmp(type, "Metaspace") != 0) {
        return dn_json_fail(metaspace,
                            "'%s' is not supported with Unigram; Metaspace is, alone or "
                            "behind WhitespaceSplit",
                            type);
    }
    DN_TRY(dn_json_need(metaspace, "replacement", DN_JSON_TEXT, &at));
    DN_TRY(dn_json_text(&at, &mark));
    if (*mark) {
        dn_utf8_decode(mark, &length);
    }
    if (!length || mark[length]) {
        return dn_json_fail(&at, "is not one character");
    }
    memcpy(u->mark, mark, (size_t)length);
    u->mark_size = (size_t)length;
    u->split_marks = true;
    if (dn_json_find(metaspace, "split", &at)) {
        DN_TRY(dn_json_bool(&at, &u->split_marks));
    }
    return read_prepend(metaspace, &u->prepend);
}

static dn_status read_words(const dn_json_at *root, dn_unigram *u) {
    dn_json_at words, list;
    const char *type;
    DN_TRY(dn_json_need(root, "pre_tokenizer", DN_JSON_OBJECT, &words));
    DN_TRY(dn_json_type(&words, &type));
    if (strcmp(type, "Sequence") != 0) {
        return read_metaspace(&words, u);
    }
    DN_TRY(dn_json_need(&words, "pretokenizers", DN_JSON_ARRAY, &list));
    size_t n = dn_json_count(&list);
    if (n < 1 || n > 2) {
        return dn_json_fail(&list,
                            "has %zu steps; Metaspace is supported, alone or behind "
                            "WhitespaceSplit",
                            n);
    }
    dn_json_at first = dn_json_item(&list, 0), last = dn_json_item(&list, n - 1);
    if (n == 2) {
        DN_TRY(dn_json_type(&first, &type));
        if (strcmp(type, "WhitespaceSplit") != 0) {
            return dn_json_fail(&first, "'%s' is not supported; WhitespaceSplit is", type);
        }
        u->split_white = true;
    }
    return read_metaspace(&last, u);
}

/* The reference's JSON reader divides a number's digits by a power of ten and so rounds twice. The
 * last bit decides between ways of equal tokens in another order ("r" "rr", "rr" "r"), so it is
 * done again, from the shortest digits that give the number: those that such files have. */
static double as_the_reference_reads(double number) {
    char text[32];
    for (int precision = 14; precision <= 16; precision++) {
        snprintf(text, sizeof text, "%.*e", precision, number);
        if (strtod(text, NULL) == number) {
            break;
        }
    }
    char *exponent = strchr(text, 'e');
    int scale = atoi(exponent + 1);
    uint64_t digits = 0;
    char *last = exponent - 1;
    while (*last == '0') {
        last--;
    }
    for (char *c = text; c <= last; c++) {
        if (*c >= '0' && *c <= '9') {
            digits = digits * 10 + (uint64_t)(*c - '0');
        }
        scale -= *c >= '0' && *c <= '9';
    }
    scale++;
    double value = scale < 0 ? (double)digits / pow(10, -scale) : (double)digits * pow(10, scale);
    return signbit(number) ? -value : value;
}

static dn_status read_token(const dn_json_at *item, dn_span *token, double *score) {
    const char *text;
    if (dn_json_kind_of(item) != DN_JSON_ARRAY || dn_json_count(item) != 2) {
        return dn_json_fail(item, "is not a token and its score");
    }
    dn_json_at name = dn_json_item(item, 0), value = dn_json_item(item, 1);
    DN_TRY(dn_json_text(&name, &text));
    DN_TRY(dn_json_real(&value, -1e30, 1e30, score));
    *score = *score == 0 ? 0 : as_the_reference_reads(*score);
    *token = dn_span_of(text);
    return DN_OK;
}

static dn_status read_vocabulary(const dn_json_at *model, const char *path, dn_unigram *u) {
    dn_json_at vocab, at;
    int64_t unknown;
    dn_status status = DN_OK;
    DN_TRY(dn_json_need(model, "vocab", DN_JSON_ARRAY, &vocab));
    size_t n = dn_json_count(&vocab);
    if (n == 0 || n > MAX_TOKENS) {
        return dn_json_fail(&vocab, "has %zu tokens, expected 1 to %d", n, MAX_TOKENS);
    }
    DN_TRY(dn_json_need(model, "unk_id", DN_JSON_INT, &at));
    DN_TRY(dn_json_int(&at, 0, (int64_t)n - 1, &unknown));
    dn_span *token = dn_alloc_array(n, sizeof *token);
    double *score = dn_alloc_array(n, sizeof *score);
    char *where = dn_format("%s: model.vocab", path);
    for (size_t i = 0; i < n; i++) {
        dn_json_at item = dn_json_item(&vocab, i);
        DN_TRY_GO(read_token(&item, &token[i], &score[i]), done);
    }
    status = dn_unigram_take(u, token, score, (int32_t)n, (int32_t)unknown, where);
done:
    free(token);
    free(score);
    free(where);
    return status;
}

/* A token looked for in normal forms must be one itself. */
static dn_status check_added(const dn_json_at *root, const dn_unigram *u,
                             const dn_added_tokens *added) {
    dn_token_cache *cache = dn_alloc(sizeof *cache);
    dn_status status = DN_OK;
    for (int i = 0; i < added->n && status == DN_OK; i++) {
        const dn_added_token *token = &added->token[i];
        dn_span text = {token->text, token->size};
        if (token->normalised && !dn_span_equal(dn_form_apply(&u->form, cache, text), text)) {
            status = dn_json_fail(root,
                                  "added_tokens: '%.80s' changes when it is normalised, "
                                  "which is not supported",
                                  token->text);
        }
    }
    for (int i = 0; i < DN_SCRATCHES; i++) {
        free(cache->scratch[i].ptr);
    }
    free(cache);
    return status;
}

static void finish(const dn_unigram *u, dn_token_table *out) {
    int64_t most = 2 * dn_form_growth(&u->form);
    out->size = u->n;
    out->unknown = u->unknown;
    out->most_per_byte = most < 1 << 20 ? (int32_t)most : 1 << 20;
}

dn_status dn_unigram_from_json(const dn_json_at *root, dn_token_table *out) {
    dn_unigram *u = out->table = dn_alloc(sizeof *u);
    dn_json_at model;
    DN_TRY(dn_json_need(root, "model", DN_JSON_OBJECT, &model));
    DN_TRY(dn_json_need_off(&model, "byte_fallback"));
    DN_TRY(read_form(root, &u->form));
    DN_TRY(read_words(root, u));
    DN_TRY(read_vocabulary(&model, out->path, u));
    DN_TRY(dn_added_tokens_read(root, &out->added));
    DN_TRY(check_added(root, u, &out->added));
    finish(u, out);
    return dn_token_frame_read(root, &out->frame);
}

/* ---- sentencepiece.bpe.model ---- */

/* Of the models with this file only XLM-R's ids are known without tokenizer.json. */
static dn_status check_config(const char *dir) {
    char *path = dn_format("%s/config.json", dir);
    dn_json *doc = NULL;
    dn_status status = DN_OK;
    if (access(path, F_OK) == 0) {
        dn_json_at root, at;
        const char *type;
        DN_TRY_GO(dn_json_load(path, MAX_CONFIG_BYTES, DN_E_MODEL, &doc), done);
        root = dn_json_root(doc);
        DN_TRY_GO(dn_json_need(&root, "model_type", DN_JSON_TEXT, &at), done);
        DN_TRY_GO(dn_json_text(&at, &type), done);
        if (strcmp(type, "xlm-roberta") != 0) {
            status = dn_json_fail(&at,
                                  "'%s' is not xlm-roberta: its tokeniser needs a "
                                  "tokenizer.json",
                                  type);
        }
    }
done:
    dn_json_free(doc);
    free(path);
    return status;
}

/* <s> <pad> </s> <unk>, the pieces behind SentencePiece's own three, <mask>. */
static dn_status arrange(const dn_spm_model *spm, const char *path, dn_unigram *u,
                         dn_token_table *out) {
    static const char *const names[] = {"<s>", "<pad>", "</s>", "<unk>", "<mask>"};
    enum { OWN = 3, FIRST = 4 };
    int32_t n = FIRST + spm->n - OWN + 1;
    dn_span *token = dn_alloc_array((size_t)n, sizeof *token);
    double *score = dn_alloc_array((size_t)n, sizeof *score);
    for (int32_t i = 0; i < n; i++) {
        bool own = i < FIRST || i == n - 1;
        int name = i < FIRST ? i : FIRST;
        token[i] = own ? dn_span_of(names[name]) : spm->piece[i - 1].text;
        score[i] = own ? 0 : spm->piece[i - 1].score;
        if (own) {
            dn_added_tokens_add(&out->added, names[name], i, false, false, false);
        }
    }
    dn_status status = dn_unigram_take(u, token, score, n, FIRST - 1, path);
    free(token);
    free(score);
    return status;
}

static dn_status take_spm(const dn_spm_model *spm, dn_token_table *out) {
    dn_unigram *u = out->table;
    DN_TRY(arrange(spm, out->path, u, out));
    if (spm->charsmap.len) {
        dn_form_step *step = &u->form.step[u->form.n++];
        DN_TRY(dn_charsmap_init(&step->charsmap, spm->charsmap, out->path));
    }
    memcpy(u->mark, "\u2581", 3);
    u->mark_size = 3;
    u->split_white = u->split_marks = u->prepend = true;
    finish(u, out);
    out->frame = (dn_token_frame){{0}, {2}, 1, 1};
    return DN_OK;
}

dn_status dn_unigram_from_files(const char *dir, dn_token_table *out) {
    dn_spm_model spm;
    out->table = dn_alloc(sizeof(dn_unigram));
    out->path = dn_format("%s/sentencepiece.bpe.model", dir);
    DN_TRY(check_config(dir));
    DN_TRY(dn_spm_model_load(out->path, &spm));
    dn_status status = take_spm(&spm, out);
    dn_spm_model_free(&spm);
    return status;
}
