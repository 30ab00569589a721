/* Others read what we write: h5py through the shipped reader, and the independent recount.
 * DUNLIN_PYTHON names a Python that has h5py; without one the cases are skipped. */
#include "fixture.h"

#include "sink/index.h"

static const char *python(void) {
    static const char *found;
    static const char *const candidates[] = {"build/venv/bin/python", "python3", NULL};
    const char *named = getenv("DUNLIN_PYTHON");
    for (int i = -1; !found && (i < 0 || candidates[i]); i++) {
        const char *candidate = i < 0 ? named : candidates[i];
        char *test =
            dn_format("%s -c 'import h5py, numpy' 2>/dev/null", candidate ? candidate : "false");
        if (candidate && system(test) == 0) {
            found = candidate;
        }
        free(test);
    }
    return found;
}

/* Exit status of a Python command line, `%s` being the interpreter. */
__attribute__((format(printf, 1, 0))) static int run(const char *fmt, const char *a,
                                                     const char *b) {
    char *command = dn_format(fmt, python(), a, b);
    int status = system(command);
    free(command);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void write_job(int n_partitions) {
    const dn_sink_ops *sinks[] = {&dn_sink_dead_letters, &dn_sink_rows_h5};
    for (int s = 0; s < 2; s++) {
        dn_sink *sink;
        REQUIRE(fixture_open(sinks[s], n_partitions, &sink) == DN_OK);
        for (int p = 0; p < n_partitions; p++) {
            for (int64_t first = 0; first < 2000; first += 1000) {
                EXPECT(fixture_write(sinks[s], sink, p, first, first + 1000, 250, true) == DN_OK);
                EXPECT(sinks[s]->commit(sink, p) == DN_OK);
            }
        }
        sinks[s]->close(sink);
    }
}

static const char check_reader[] =
    "import sys; sys.path.insert(0, 'scripts'); import dunlin_read, h5py, numpy as np\n"
    "out = sys.argv[1]; rows = dunlin_read.read(out)\n"
    "o = rows['records/offset']; n = len(o)\n"
    "assert n == 2 * sum(k % 13 != 5 and k % 7 != 3 and k % 11 != 4 for k in range(2000)), n\n"
    "assert all(len(v) == n for v in rows.values())\n"
    "assert all(t.startswith(f'tweet {k} \\N{BIRD} ') for t, k in zip(rows['records/text'], o))\n"
    "assert all(l == ['sad', 'neutral', 'glad'][k % 3] for l, k in zip(rows['labels/mood'], o))\n"
    "assert all(l == (['de', 'en', 'ja', 'tr'][k % 4] if k % 9 else '(none)')\n"
    "           for l, k in zip(rows['records/language'], o))\n"
    "assert np.allclose(rows['scores/mood'][:, 2], o % 100 / 100 + 2)\n"
    "with h5py.File(dunlin_read.files(out)[0]) as f:\n"
    "    assert list(f['scores/mood'].attrs['labels']) == ['sad', 'neutral', 'glad']\n"
    "    f.visititems(lambda p, d: isinstance(d, h5py.Group) or (d.attrs['units'], "
    "d.attrs['long_name']))\n"
    "with h5py.File(out + '/index.h5') as f:\n"
    "    assert (f['rows/tweets/records/offset'][()] == o).all()\n"
    "    assert list(dunlin_read.column(f['rows/tweets/records/text'])) == "
    "list(rows['records/text'])\n"
    "try:\n    import pandas\nexcept ImportError:\n    pass\nelse:\n"
    "    frame = dunlin_read.frame(out)\n"
    "    assert len(frame) == n and np.allclose(frame['scores/mood/glad'], o % 100 / 100 + 2)\n"
    "dead = dunlin_read.read(out, 'dead')\n"
    "assert set(dead['records/reason']) == {'bad JSON'} and len(dead['records/offset']) == 2 * "
    "154\n";

CASE(the_shipped_reader_reads_rows_labels_and_the_index) {
    if (!python()) {
        SKIP("no Python with h5py (set DUNLIN_PYTHON)");
    }
    fixture_begin();
    write_job(2);
    REQUIRE(dn_index_build(fixture_folder) == DN_OK);
    char *script = dn_format("%s/check.py", fixture_folder);
    FILE *file = fopen(script, "w");
    REQUIRE(file);
    fputs(check_reader, file);
    fclose(file);
    EXPECT_INT(run("%s %s %s", script, fixture_folder), 0);
    EXPECT_INT(run("%s scripts/dunlin_read.py %s 2%s > /dev/null", fixture_folder, ""), 0);
    free(script);
    fixture_clean();
}

CASE(the_recount_agrees_and_misses_what_is_missing) {
    if (!python()) {
        SKIP("no Python with h5py (set DUNLIN_PYTHON)");
    }
    fixture_begin();
    write_job(2);
    EXPECT_INT(run("%s tests/tools/recount.py %s%s > /dev/null", fixture_folder, ""), 0);
    EXPECT_INT(run("%s tests/tools/recount.py %s/nothing%s 2> /dev/null", fixture_folder, ""), 2);
    char *path = fixture_path("rows", 1, 1000);
    char *aside = dn_format("%s/aside", fixture_folder);
    REQUIRE(rename(path, aside) ==
            0); /* the last of its partition: only a list of ids can miss it */
    EXPECT_INT(run("%s tests/tools/recount.py %s%s > /dev/null", fixture_folder, ""), 0);
    REQUIRE(rename(aside, path) == 0);
    char *dead = fixture_path("dead/enrich", 0, 1000);
    EXPECT(unlink(dead) == 0);
    EXPECT_INT(run("%s tests/tools/recount.py %s%s > /dev/null 2>&1", fixture_folder, ""), 1);
    free(dead);
    free(path);
    free(aside);
    fixture_clean();
}

static int recount_with_ids(int64_t n_ids) {
    char *ids = dn_format("%s/ids", fixture_folder);
    FILE *file = fopen(ids, "w");
    for (int64_t i = 0; file && i < n_ids; i++) {
        fprintf(file, "%lld\n", (long long)i * 10);
    }
    EXPECT(file && fclose(file) == 0);
    int status = run("%s tests/tools/recount.py %s --ids %s > /dev/null 2>&1", fixture_folder, ids);
    free(ids);
    return status;
}

CASE(the_recount_compares_ids) {
    if (!python()) {
        SKIP("no Python with h5py (set DUNLIN_PYTHON)");
    }
    fixture_begin();
    write_job(1);
    EXPECT_INT(recount_with_ids(2000), 0);
    EXPECT_INT(recount_with_ids(2001), 1);
    EXPECT_INT(recount_with_ids(1999), 1);
    char *path = fixture_path("rows", 0, 1000);
    EXPECT(unlink(path) == 0);
    EXPECT_INT(recount_with_ids(2000), 1);
    free(path);
    fixture_clean();
}

int main(int argc, char **argv) {
    return dn_test_main(argc, argv);
}
