/* Files that lie. Each is refused with an error that names the file and what is wrong with it; none
 * is believed. */
#include "model/safetensors.h"

#include "base/status.h"
#include "files.h"

#include <sys/mman.h>

#define ONE(fields) "{\"w\":{" fields "}}"
#define TWO(a, b)                                                                                  \
    "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":" a "},"                             \
    "\"b\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":" b "}}"

enum { TRUE_LENGTH = -1 };

static const struct {
    const char *header;
    int data;
    int64_t length; /**< what the first 8 bytes claim */
    const char *says;
} bad_files[] = {
    {"", 0, 0, "does not start with '{'"},
    {"{}", 0, 3, "cut: the header needs 3 bytes and the file has 2"},
    {"{}", 0, 100000001, "header of 100000001 bytes; at most 100000000"},
    {"{}", 0, INT64_MIN, "header of 9223372036854775808 bytes"},
    {"{}", 0, INT64_MAX, "header of 9223372036854775807 bytes"},
    {" {}", 0, TRUE_LENGTH, "does not start with '{'"},
    {"[]", 0, TRUE_LENGTH, "does not start with '{'"},
    {"{", 0, TRUE_LENGTH, "not valid JSON"},
    {"{}}", 0, TRUE_LENGTH, "not valid JSON"},
    {"{\"w\xff\":1}", 0, TRUE_LENGTH, "not valid JSON"},
    {"{\"a\\u0000b\":1}", 0, TRUE_LENGTH, "not valid JSON"},
    {"{\"w\":1,\"w\":2}", 0, TRUE_LENGTH, "duplicate"},
    {"{\"__metadata__\":{\"a\":1}}", 0, TRUE_LENGTH,
     "__metadata__.a: is a whole number, expected a text"},
    {"{\"__metadata__\":[]}", 0, TRUE_LENGTH, "__metadata__: is not an object"},
    {"{\"w\":3}", 0, TRUE_LENGTH, "w: is a whole number, expected an object"},
    {ONE("\"shape\":[1],\"data_offsets\":[0,4]"), 4, TRUE_LENGTH, "w: has no \"dtype\""},
    {ONE("\"dtype\":4,\"shape\":[1],\"data_offsets\":[0,4]"), 4, TRUE_LENGTH,
     "w.dtype: is a whole number"},
    {ONE("\"dtype\":\"F33\",\"shape\":[1],\"data_offsets\":[0,4]"), 4, TRUE_LENGTH,
     "\"F33\" is not a known type"},
    {ONE("\"dtype\":\"F32\",\"data_offsets\":[0,4]"), 4, TRUE_LENGTH, "w: has no \"shape\""},
    {ONE("\"dtype\":\"F32\",\"shape\":[-1],\"data_offsets\":[0,4]"), 4, TRUE_LENGTH,
     "w.shape[0]: is -1"},
    {ONE("\"dtype\":\"F32\",\"shape\":[1.0],\"data_offsets\":[0,4]"), 4, TRUE_LENGTH,
     "w.shape[0]: is a number"},
    {ONE("\"dtype\":\"F32\",\"shape\":[99999999999999999999],\"data_offsets\":[0,4]"), 4,
     TRUE_LENGTH, "not valid JSON: too big integer"},
    {ONE("\"dtype\":\"F32\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,4]"), 4,
     TRUE_LENGTH, "w.shape: more elements than can be counted"},
    {ONE("\"dtype\":\"F32\",\"shape\":[4611686018427387904],\"data_offsets\":[0,0]"), 0,
     TRUE_LENGTH, "do not fit 4611686018427387904 elements"},
    {ONE("\"dtype\":\"F32\",\"shape\":[1,1,1,1,1,1,1,1,1],\"data_offsets\":[0,4]"), 4, TRUE_LENGTH,
     "w.shape: has 9 dimensions"},
    {ONE("\"dtype\":\"F32\",\"shape\":[1]"), 4, TRUE_LENGTH, "w: has no \"data_offsets\""},
    {ONE("\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0]"), 4, TRUE_LENGTH,
     "has 1 numbers, expected 2"},
    {ONE("\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,0]"), 4, TRUE_LENGTH,
     "data_offsets [4, 0] do not fit"},
    {ONE("\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[-4,0]"), 4, TRUE_LENGTH,
     "w.data_offsets[0]: is -4"},
    {ONE("\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,4]"), 4, TRUE_LENGTH,
     "do not fit 2 elements of type F32"},
    {ONE("\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]"), 8, TRUE_LENGTH,
     "w: leaves a hole"},
    {ONE("\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]"), 7, TRUE_LENGTH,
     "w: cut: the tensor ends at byte 8"},
    {ONE("\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]"), 9, TRUE_LENGTH,
     "1 bytes follow the last tensor"},
    {TWO("[0,8]", "[4,12]"), 12, TRUE_LENGTH, "b: overlaps another tensor"},
    {TWO("[0,8]", "[0,8]"), 8, TRUE_LENGTH, "overlaps another tensor"},
    {TWO("[0,8]", "[12,20]"), 20, TRUE_LENGTH, "b: leaves a hole"},
    {"{}", 1, TRUE_LENGTH, "1 bytes follow the last tensor"},
};

/** Opens DIR/x.safetensors, expects a refusal that names the file and says `says`. */
static void expect_refusal(const char *dir, dn_error error, const char *says) {
    char path[512];
    snprintf(path, sizeof path, "%s/x.safetensors", dir);
    dn_safetensors *file = NULL;
    EXPECT_INT(dn_safetensors_open(path, &file), DN_FATAL);
    const dn_failure *failure = dn_failure_last();
    EXPECT_INT(failure->error, error);
    if (!strstr(failure->text, says) || !strstr(failure->text, path)) {
        fprintf(stderr, "got    %s\nwanted %s\n", failure->text, says);
        EXPECT(!"the expected message");
    }
    EXPECT(file == NULL);
}

CASE(files_that_lie_are_refused) {
    char dir[64];
    make_dir(dir);
    for (size_t i = 0; i < sizeof bad_files / sizeof *bad_files; i++) {
        size_t n = strlen(bad_files[i].header);
        int64_t length = bad_files[i].length;
        write_tensors(dir, length == TRUE_LENGTH ? n : (uint64_t)length, bad_files[i].header, n,
                      (size_t)bad_files[i].data);
        expect_refusal(dir, DN_E_MODEL, bad_files[i].says);
    }
    remove_dir(dir);
}

CASE(short_and_missing_files_are_refused) {
    char dir[64];
    make_dir(dir);
    expect_refusal(dir, DN_E_NO_INPUT, "cannot be read");
    write_bytes(dir, "x.safetensors", "", 0);
    expect_refusal(dir, DN_E_MODEL, "shorter than its 8-byte length");
    write_bytes(dir, "x.safetensors", "\2\0\0\0\0\0\0", 7);
    expect_refusal(dir, DN_E_MODEL, "shorter than its 8-byte length");
    remove_dir(dir);
}

CASE(deep_json_is_refused) {
    enum { DEPTH = 100000 };
    char dir[64], *header = malloc(DEPTH + 5);
    make_dir(dir);
    memcpy(header, "{\"w\":", 5);
    memset(header + 5, '[', DEPTH);
    write_tensors(dir, DEPTH + 5, header, DEPTH + 5, 0);
    expect_refusal(dir, DN_E_MODEL, "maximum parsing depth");
    free(header);
    remove_dir(dir);
}

static const char good_header[] =
    "{\"__metadata__\":{\"format\":\"pt\"},"
    "\"z\":{\"dtype\":\"BF16\",\"shape\":[2,3],\"data_offsets\":[4,16]},"
    "\"scalar\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]},"
    "\"none\":{\"dtype\":\"I64\",\"shape\":[0,7],\"data_offsets\":[16,16]},"
    "\"h\":{\"dtype\":\"F16\",\"shape\":[4],\"data_offsets\":[16,24]},"
    "\"i\":{\"dtype\":\"I32\",\"shape\":[1],\"data_offsets\":[24,28]}}   ";

static dn_safetensors *open_good(const char *dir, const void *data) {
    char path[512];
    size_t n = strlen(good_header);
    write_tensors(dir, n, good_header, n, 28);
    bytes all = read_bytes(dir, "x.safetensors");
    memcpy(all.at + 8 + n, data, 28);
    write_bytes(dir, "x.safetensors", all.at, all.n);
    free(all.at);
    snprintf(path, sizeof path, "%s/x.safetensors", dir);
    dn_safetensors *file = NULL;
    EXPECT_INT(dn_safetensors_open(path, &file), DN_OK);
    return file;
}

CASE(values_are_read_whatever_their_type_and_alignment) {
    /* 1.5f | bf16 1 -2 0.5 0 0 0 | f16 1, -2, smallest subnormal, 65504 | 7 */
    static const unsigned char data[28] = {0, 0, 0xc0, 0x3f, 0x80, 0x3f, 0, 0xc0, 0, 0x3f,
                                           0, 0, 0,    0,    0,    0,    0, 0x3c, 0, 0xc0,
                                           1, 0, 0xff, 0x7b, 7,    0,    0, 0};
    char dir[64];
    float x[6];
    make_dir(dir);
    dn_safetensors *file = open_good(dir, data);
    REQUIRE(file != NULL);
    EXPECT_INT(dn_safetensors_count(file), 5);
    EXPECT_TEXT(dn_safetensors_get(file, 0)->name, "scalar");
    EXPECT(dn_tensor_floats(file, dn_safetensors_find(file, "scalar"), 0, 1, x) == DN_OK &&
           x[0] == 1.5f);
    EXPECT(dn_tensor_floats(file, dn_safetensors_find(file, "z"), 0, 6, x) == DN_OK);
    EXPECT(x[0] == 1 && x[1] == -2 && x[2] == 0.5f && x[5] == 0);
    EXPECT(dn_tensor_floats(file, dn_safetensors_find(file, "z"), 1, 2, x) == DN_OK && x[0] == -2);
    EXPECT(dn_tensor_floats(file, dn_safetensors_find(file, "h"), 0, 4, x) == DN_OK);
    EXPECT(x[0] == 1 && x[1] == -2 && x[2] == 0x1p-24f && x[3] == 65504);
    EXPECT_INT(dn_safetensors_find(file, "none")->n_elements, 0);
    EXPECT(dn_safetensors_find(file, "absent") == NULL);
    EXPECT_INT(dn_tensor_floats(file, dn_safetensors_find(file, "i"), 0, 1, x), DN_FATAL);
    EXPECT(strstr(dn_failure_last()->text, "i: type I32") != NULL);
    dn_safetensors_close(file);
    remove_dir(dir);
}

CASE(numbers_that_are_not_finite_are_refused_by_name) {
    static const struct {
        size_t at;
        unsigned char low, high;
        const char *tensor;
        const char *says;
    } table[] = {
        {2, 0x80, 0x7f, "scalar", "scalar: element 0 is not a finite number"}, /* infinity */
        {2, 0xc0, 0xff, "scalar", "scalar: element 0 is not a finite number"}, /* NaN */
        {14, 0x80, 0x7f, "z", "z: element 5 is not a finite number"},
        {18, 0x00, 0x7c, "h", "h: element 1 is not a finite number"},
        {18, 0x01, 0xfc, "h", "h: element 1 is not a finite number"},
    };
    char dir[64];
    float x[6];
    make_dir(dir);
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        unsigned char data[28] = {0};
        data[table[i].at] = table[i].low;
        data[table[i].at + 1] = table[i].high;
        dn_safetensors *file = open_good(dir, data);
        REQUIRE(file != NULL);
        const dn_tensor *tensor = dn_safetensors_find(file, table[i].tensor);
        EXPECT_INT(dn_tensor_floats(file, tensor, 0, tensor->n_elements, x), DN_FATAL);
        EXPECT(strstr(dn_failure_last()->text, table[i].says) != NULL);
        dn_safetensors_close(file);
    }
    remove_dir(dir);
}

/** What an accepted file promises: tensors that cover the data exactly and can be read. */
static bool keeps_promises(const dn_safetensors *file) {
    uint64_t expected = 0;
    for (size_t i = 0; i < dn_safetensors_count(file); i++) {
        const dn_tensor *tensor = dn_safetensors_get(file, i);
        uint64_t n = tensor->end - tensor->begin;
        char copy[64];
        if (tensor->begin != expected || n > sizeof copy) {
            return false;
        }
        memcpy(copy, tensor->data, n);
        expected = tensor->end;
    }
    size_t size;
    return dn_safetensors_bytes(file, &size) != NULL && expected <= size;
}

/* One to four bytes of a good file are changed, dropped or doubled; or it is cut. */
static size_t mutate(const bytes *good, char *out) {
    size_t n = good->n;
    memcpy(out, good->at, n);
    for (uint64_t times = 1 + dn_random() % 4; times > 0 && n > 0; times--) {
        size_t at = dn_random() % n;
        switch (dn_random() % 5) {
        case 0:
            out[at] = (char)dn_random();
            break;
        case 1:
            out[at] = "0123456789[]{},:\""[dn_random() % 17];
            break;
        case 2:
            memmove(out + at, out + at + 1, --n - at);
            break;
        case 3:
            memmove(out + at + 1, out + at, n++ - at);
            break;
        default:
            n = dn_random() % 8 ? n : at;
        }
    }
    /* Half of the time the length fits, so that mutations reach the rules behind it. */
    if (n >= 36 && dn_random() % 2) {
        uint64_t length = n - 36;
        memcpy(out, &length, sizeof length);
    }
    return n;
}

CASE(mutated_files_are_refused_or_keep_every_promise) {
    enum { ROUNDS = 20000 };
    static const unsigned char zeros[28];
    char dir[64], path[64];
    make_dir(dir);
    dn_safetensors_close(open_good(dir, zeros));
    bytes good = read_bytes(dir, "x.safetensors");
    remove_dir(dir);
    char *bad = malloc(good.n + 8);
    int fd = memfd_create("mutated", MFD_CLOEXEC), accepted = 0, refused = 0;
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    for (int i = 0; i < ROUNDS; i++) {
        size_t n = mutate(&good, bad);
        REQUIRE(ftruncate(fd, (off_t)n) == 0 && pwrite(fd, bad, n, 0) == (ssize_t)n);
        dn_safetensors *file = NULL;
        if (dn_safetensors_open(path, &file) == DN_OK) {
            accepted++;
            REQUIRE(keeps_promises(file));
        } else {
            refused++;
            REQUIRE(file == NULL && dn_failure_last()->error == DN_E_MODEL);
        }
        dn_safetensors_close(file);
    }
    EXPECT(accepted > ROUNDS / 100);
    EXPECT(refused > ROUNDS / 2);
    close(fd);
    free(bad);
    free(good.at);
}

int main(int argc, char **argv) {
    return dn_test_main(argc, argv);
}
