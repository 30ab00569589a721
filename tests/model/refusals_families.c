/* Checkpoints of all families with one thing changed: what is refused, and in which words. */
#include "files.h"
#include "model/model.h"

static const struct {
    const char *model, *file, *from, *to, *says;
} table[] = {
    {"distilbert_text", "config.json", "\"activation\": \"gelu\"", "\"activation\": \"relu\"",
     "activation: \"relu\" is not supported; only \"gelu\" is"},
    {"distilbert_text", "config.json", "\"dim\": 32", "\"dim\": 30",
     "dim 30 is not a multiple of n_heads 4"},
    {"distilbert_text", "config.json", "\"n_layers\": 2", "\"n_layers\": 3",
     "has no tensor \"distilbert.transformer.layer.2.attention.q_lin.weight\""},
    {"electra_text", "config.json", "\"gelu\"", "\"gelu_new\"",
     "hidden_act: \"gelu_new\" is not supported"},
    {"electra_text", "config.json", "\"embedding_size\": 24", "\"embedding_size\": 25",
     "word_embeddings.weight: shape [96, 24], config.json asks for [96, 25]"},
    {"electra_text", "config.json", "multi_label_classification", "regression",
     "problem_type: \"regression\" is not supported"},
    {"electra_text", "config.json", "\"1\": \"neutral\"", "\"3\": \"neutral\"",
     "id2label: has no \"1\""},
    {"electra_tokens", "config.json", "ElectraForTokenClassification", "ElectraForPreTraining",
     "architectures: \"ElectraForPreTraining\" has no head that is supported"},
    {"bert_tokens", "config.json", "\"O\"", "\"B-PER\"", "\"B-PER\" stands there twice"},
    {"bert_tokens", "config.json", "BertForTokenClassification", "BertForSequenceClassification",
     "has no tensor \"bert.pooler.dense.weight\""},
    {"bert_tokens", "config.json", "\"model_type\": \"bert\"", "\"model_type\": \"roberta\"",
     "has no tensor \"embeddings.word_embeddings.weight\""},
    {"roberta_text", "config.json", "\"pad_token_id\": 1", "\"pad_token_id\": 38",
     "max_position_embeddings 40 leaves no room for a text: its positions begin at 39"},
    {"roberta_text", "config.json", "\"pad_token_id\": 1", "\"pad_token_id\": 96",
     "pad_token_id: is 96, expected 0 to 95"},
    {"roberta_text", "config.json", "\"add_cross_attention\": false",
     "\"add_cross_attention\": true", "add_cross_attention: only encoders are supported"},
    {"roberta_text", "config.json", "\"add_cross_attention\": false",
     "\"position_embedding_type\": \"relative_key\"",
     "position_embedding_type: \"relative_key\" is not supported"},
    {"roberta_mixed", "config.json", "\"sigmoid\"", "\"softplus\"",
     "dunlin.heads[0].kind: \"softplus\" is not supported"},
    {"roberta_mixed", "config.json", "\"l2\": true", "\"l2\": 1", "dunlin.heads[1].l2: is"},
    {"roberta_mixed", "config.json", "\"pooling\": \"mean\"", "\"pooling\": \"max\"",
     "dunlin.heads[5].pooling: \"max\" is not supported"},
    {"roberta_mixed", "config.json", "\"max_tokens\": 30", "\"max_tokens\": 39",
     "dunlin.max_tokens: is 39, expected 2 to 38"},
    {"bert_sentences", "modules.json", "models.Pooling", "models.Dense",
     "modules.json: [1].type: \"sentence_transformers.models.Dense\" is not supported"},
    {"bert_sentences", "modules.json", "models.Pooling", "models.Normalize", "that pools"},
    {"bert_sentences", "modules.json", "\"1_Pooling\"", "\"../1_Pooling\"",
     "[1].path: \"../1_Pooling\" is not the name of a folder"},
    {"bert_sentences", "1_Pooling/config.json", "\"pooling_mode_max_tokens\": false",
     "\"pooling_mode_max_tokens\": true", "pooling_mode_max_tokens: is not supported"},
    {"bert_sentences", "1_Pooling/config.json", "\"pooling_mode_cls_token\": false",
     "\"pooling_mode_cls_token\": true", "asks for 2 poolings, expected 1"},
    {"bert_sentences", "sentence_bert_config.json", "30", "41",
     "max_seq_length: is 41, expected 2 to 40"},
    {"distilbert_text", "model.safetensors.index.json", "\"weight_map\"", "\"weights\"",
     "has no \"weight_map\""},
    {"distilbert_text", "model.safetensors.index.json", "\"model-00001", "\"../model-00001",
     "is not the name of a .safetensors file beside the index"},
    {"distilbert_text", "model.safetensors.index.json", "\"model-00001", "\"/etc/model-00001",
     "is not the name of a .safetensors file beside the index"},
    {"distilbert_text", "model.safetensors.index.json", "\"classifier.bias\": \"model-00003",
     "\"classifier.bias\": \"model-00002", "the files are not of one save"},
    {"distilbert_text", "model.safetensors.index.json", "\"classifier.bias\"",
     "\"classifier.bios\"", "classifier.bias: the index has this tensor nowhere"},
    {"distilbert_text", "model-00003-of-00003.safetensors", "classifier.bias", "classifier.bios",
     "classifier.bios: the index has this tensor nowhere"},
};

static void expect_refusal(const char *dir, dn_error error, const char *says) {
    const dn_kernels *ref;
    dn_model *model = NULL;
    REQUIRE(dn_kernels_select("ref", &ref) == DN_OK);
    EXPECT_INT(dn_model_open(dir, ref, &model), DN_FATAL);
    const dn_failure *failure = dn_failure_last();
    EXPECT_INT(failure->error, error);
    if (!strstr(failure->text, says) || !strstr(failure->text, dir)) {
        fprintf(stderr, "got    %s\nwanted %s\n", failure->text, says);
        EXPECT(!"the expected message");
    }
    dn_model_close(model);
}

static void copy_model(const char *name, char *dir) {
    char from[128];
    make_dir(dir);
    snprintf(from, sizeof from, "tests/data/families/%s", name);
    copy_dir(from, dir);
}

CASE(checkpoints_that_do_not_fit_are_refused) {
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        char dir[64];
        copy_model(table[i].model, dir);
        edit_file(dir, table[i].file, table[i].from, table[i].to);
        expect_refusal(dir, DN_E_MODEL, table[i].says);
        remove_dir(dir);
    }
}

CASE(a_missing_shard_is_named) {
    char dir[64], path[128];
    copy_model("electra_tokens", dir);
    snprintf(path, sizeof path, "%s/model-00002-of-00003.safetensors", dir);
    unlink(path);
    expect_refusal(dir, DN_E_NO_INPUT, "model-00002-of-00003.safetensors");
    remove_dir(dir);
}

CASE(a_number_that_is_none_in_a_shard_is_refused) {
    char dir[64];
    copy_model("electra_tokens", dir);
    bytes shard = read_bytes(dir, "model-00003-of-00003.safetensors");
    memcpy(shard.at + shard.n - 2, "\xc0\x7f", 2);
    write_bytes(dir, "model-00003-of-00003.safetensors", shard.at, shard.n);
    free(shard.at);
    expect_refusal(dir, DN_E_MODEL, "is not a finite number");
    remove_dir(dir);
}

/* Opens and closes; what it was read as is the caller's question. */
static void expect_accepted(const char *dir, void (*check)(const dn_model_info *info)) {
    const dn_kernels *ref;
    dn_model *model = NULL;
    REQUIRE(dn_kernels_select("ref", &ref) == DN_OK);
    if (dn_model_open(dir, ref, &model) != DN_OK) {
        fprintf(stderr, "%s\n", dn_failure_last()->text);
        EXPECT(!"opened");
        return;
    }
    check(dn_model_describe(model));
    dn_model_close(model);
}

static void none_is_ignored(const dn_model_info *info) {
    EXPECT_INT(info->n_ignored_tensors, 0);
}

static void head_is_called_mood(const dn_model_info *info) {
    EXPECT_TEXT(info->model_head[0].name, "mood");
    EXPECT_TEXT(info->normalise, "tweeteval");
    EXPECT_INT(info->max_tokens, 20);
}

static void unnamed_tensor_is_told(const dn_model_info *info) {
    REQUIRE(info->n_ignored_tensors == 16);
    EXPECT(strstr(info->ignored_tensor[0], "encoder.layer.1.") != NULL);
}

CASE(names_of_tensorflow_are_read) {
    char dir[64];
    copy_model("bert_tokens", dir);
    edit_file(dir, "model.safetensors",
              "bert.embeddings.LayerNorm.weight\":", "bert.embeddings.LayerNorm.gamma\": ");
    edit_file(dir, "model.safetensors",
              "bert.embeddings.LayerNorm.bias\":", "bert.embeddings.LayerNorm.beta\":");
    expect_accepted(dir, none_is_ignored);
    remove_dir(dir);
}

CASE(the_own_head_may_have_a_name_and_rules) {
    char dir[64];
    copy_model("roberta_text", dir);
    edit_file(
        dir, "config.json", "{",
        "{\"dunlin\": {\"head\": \"mood\", \"normalise\": \"tweeteval\", \"max_tokens\": 20},");
    expect_accepted(dir, head_is_called_mood);
    remove_dir(dir);
}

CASE(tensors_that_nobody_asks_for_are_named) {
    char dir[64];
    copy_model("bert_tokens", dir);
    edit_file(dir, "config.json", "\"num_hidden_layers\": 2", "\"num_hidden_layers\": 1");
    expect_accepted(dir, unnamed_tensor_is_told);
    remove_dir(dir);
}

int main(int argc, char **argv) {
    return dn_test_main(argc, argv);
}
