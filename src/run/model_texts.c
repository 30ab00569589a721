/** Text as a model reads it: normalised, tokenised, cut. */
#include "run/model_texts.h"

dn_status dn_model_texts_open(const char *dir, const dn_model_info *info, dn_model_texts *out) {
    *out = (dn_model_texts){.windows = {info->max_tokens, info->windows, info->overlap}};
    DN_TRY(dn_convention_find(info->normalise, &out->convention));
    DN_TRY(dn_tokeniser_open(dir, &out->tokeniser));
    out->cache = dn_token_cache_new();
    return dn_tokeniser_check(out->tokeniser, dir, info->vocabulary);
}

void dn_model_texts_close(dn_model_texts *texts) {
    dn_normaliser_free(&texts->normaliser);
    dn_token_cache_free(texts->cache);
    dn_tokeniser_close(texts->tokeniser);
}

static int32_t encode(dn_model_texts *texts, dn_span text, int32_t most, int32_t *ids) {
    dn_span clean = dn_normalise(&texts->normaliser, texts->convention, text);
    return dn_tokeniser_encode(texts->tokeniser, texts->cache, clean, most, ids);
}

int32_t dn_model_texts_encode(dn_model_texts *texts, dn_span text, int32_t *ids) {
    dn_span clean = dn_normalise(&texts->normaliser, texts->convention, text);
    return dn_tokeniser_encode_windows(texts->tokeniser, texts->cache, clean, &texts->windows, ids);
}

/** The second takes the place of the first one's last token with its own first, which then is put
 * right. */
int32_t dn_model_texts_encode_pair(dn_model_texts *texts, dn_span text, dn_span second,
                                   int32_t *ids) {
    if (!second.ptr) {
        return dn_model_texts_encode(texts, text, ids);
    }
    int32_t tokens = texts->windows.tokens, most = tokens / 2;
    int32_t n_second = encode(texts, second, most, ids);
    int32_t last = encode(texts, text, tokens - n_second + 1, ids) - 1;
    int32_t between = ids[last];
    encode(texts, second, most, ids + last);
    ids[last] = between;
    return last + n_second;
}
