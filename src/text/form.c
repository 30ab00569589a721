/* The steps of a unigram model's normaliser. */
#include "base/memory.h"
#include "text/unigram.h"
#include "text/white.h"

#include <stdlib.h>

void dn_form_free(dn_form *form) {
    for (int i = 0; i < form->n; i++) {
        dn_charsmap_free(&form->step[i].charsmap);
        free(form->step[i].from);
        free(form->step[i].to);
    }
    form->n = 0;
}

static size_t replace(const dn_form_step *step, dn_span text, char *out) {
    size_t size = 0, from = strlen(step->from), to = strlen(step->to);
    for (size_t i = 0; i < text.len;) {
        if (text.len - i >= from && memcmp(text.ptr + i, step->from, from) == 0) {
            memcpy(out + size, step->to, to);
            size += to;
            i += from;
        } else {
            out[size++] = text.ptr[i++];
        }
    }
    return size;
}

static size_t replace_blanks(const dn_form_step *step, dn_span text, char *out) {
    size_t size = 0, to = strlen(step->to);
    for (size_t i = 0; i < text.len;) {
        size_t run = 0;
        while (i + run < text.len && text.ptr[i + run] == ' ') {
            run++;
        }
        if (run >= 2) {
            memcpy(out + size, step->to, to);
            size += to;
            i += run;
        } else {
            out[size++] = text.ptr[i++];
        }
    }
    return size;
}

static size_t strip(const dn_form_step *step, dn_span text, char *out) {
    const char *begin = text.ptr, *end = begin + text.len;
    begin = step->left ? dn_white_after(begin, end) : begin;
    end = step->right ? dn_white_before(begin, end) : end;
    memcpy(out, begin, (size_t)(end - begin));
    return (size_t)(end - begin);
}

static size_t step_growth(const dn_form_step *step) {
    size_t to = step->to ? strlen(step->to) : 1;
    return step->kind == DN_FORM_CHARSMAP ? dn_charsmap_room(&step->charsmap, 1) - 1
           : to > 1                       ? to
                                          : 1;
}

int64_t dn_form_growth(const dn_form *form) {
    int64_t growth = 1;
    for (int i = 0; i < form->n; i++) {
        growth *= (int64_t)step_growth(&form->step[i]);
    }
    return growth;
}

dn_span dn_form_apply(const dn_form *form, dn_token_cache *cache, dn_span text) {
    for (int i = 0; i < form->n; i++) {
        const dn_form_step *step = &form->step[i];
        char *out = dn_scratch_take(cache, i % 2, text.len * step_growth(step) + 1);
        size_t size = step->kind == DN_FORM_CHARSMAP ? dn_charsmap_apply(&step->charsmap, text, out)
                      : step->kind == DN_FORM_REPLACE ? replace(step, text, out)
                      : step->kind == DN_FORM_BLANKS  ? replace_blanks(step, text, out)
                                                      : strip(step, text, out);
        text = (dn_span){out, size};
    }
    return text;
}
