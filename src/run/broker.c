#include "run/broker.h"

#include "base/home.h"
#include "base/log.h"
#include "base/memory.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ADDRESS_MAX = 256 };

/* scripts/kafka of the installation or the source tree that this program is of, or of
 * DUNLIN_SCRIPTS. */
static dn_status find_script(char *out, size_t out_size) {
    const char *folder = getenv("DUNLIN_SCRIPTS");
    const char *home = dn_home();
    if (folder) {
        snprintf(out, out_size, "%s/kafka", folder);
    } else {
        snprintf(out, out_size, "%s/scripts/kafka", home ? home : ".");
    }
    if (access(out, X_OK) != 0) {
        return DN_FAIL(BROKER,
                       "--broker local: %s is not there; set DUNLIN_SCRIPTS to the folder of the "
                       "script 'kafka', or "
                       "name a broker with -b HOST:PORT",
                       out);
    }
    return DN_OK;
}

/* The broker outlives this run, so it must not inherit the signals that are blocked here. */
static dn_status start_local(char *address) {
    char script[1200], command[1300];
    DN_TRY(find_script(script, sizeof script));
    snprintf(command, sizeof command, "'%s' up", script);
    sigset_t none, ours;
    sigemptyset(&none);
    pthread_sigmask(SIG_SETMASK, &none, &ours);
    FILE *pipe = popen(command, "r");
    if (!pipe) {
        return DN_FAIL(SYSTEM, "--broker local: %s cannot be run: %s", script, strerror(errno));
    }
    bool got = fgets(address, ADDRESS_MAX, pipe) != NULL;
    int rc = pclose(pipe);
    pthread_sigmask(SIG_SETMASK, &ours, NULL);
    if (!got || !WIFEXITED(rc) || WEXITSTATUS(rc) != 0) {
        return DN_FAIL(BROKER,
                       "--broker local: the broker did not start (%s up ended with %d, its reason "
                       "stands above); "
                       "without a broker: --broker none",
                       script, WIFEXITED(rc) ? WEXITSTATUS(rc) : 128 + WTERMSIG(rc));
    }
    address[strcspn(address, "\n")] = '\0';
    return DN_OK;
}

dn_status dn_broker_resolve(dn_comm *comm, dn_job *job, const char *wanted, bool *with_broker) {
    char address[ADDRESS_MAX] = "";
    const char *where = wanted ? wanted : job->conf.broker;
    *with_broker = strcmp(where, "none") != 0;
    if (strcmp(where, "local") == 0) {
        dn_status status = comm->rank == 0 ? start_local(address) : DN_OK;
        DN_TRY(dn_comm_agree(comm, status));
        DN_TRY(dn_comm_broadcast(comm, 0, address, sizeof address));
    } else if (*with_broker) {
        snprintf(address, sizeof address, "%s", where);
    }
    free(job->conf.broker);
    job->conf.broker = dn_strdup(*with_broker ? address : "none");
    if (*with_broker) {
        dn_map_put(&job->conf.kafka, "bootstrap.servers", address);
        return dn_kafka_check(&job->conf.kafka);
    }
    return DN_OK;
}

static dn_status look_at_topic(dn_kafka_client *client, const dn_job *job,
                               const dn_topic_spec *spec, bool change, dn_topic_listener *listener,
                               void *ctx) {
    dn_topic_report report;
    DN_TRY(dn_kafka_topic_ensure(client, spec, change && job->conf.create_topics, &report));
    listener(ctx, spec, &report);
    if (change && report.state == DN_TOPIC_MISSING) {
        return DN_FAIL(TOPIC,
                       "the broker %s has no topic '%s' and create_topics is off; make it with "
                       "%lld partitions",
                       job->conf.broker, spec->name, (long long)spec->partitions);
    }
    return DN_OK;
}

dn_status dn_broker_topics(const dn_job *job, bool change, dn_topic_listener *listener, void *ctx) {
    dn_kafka_client *client;
    DN_TRY(dn_kafka_client_open(&job->conf.kafka, &client));
    dn_status status = DN_OK;
    for (int i = 0; i < job->n_topics && status == DN_OK; i++) {
        status = look_at_topic(client, job, &job->topic[i], change, listener, ctx);
    }
    dn_kafka_client_close(client);
    return status;
}
