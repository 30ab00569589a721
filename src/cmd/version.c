#include "cmd/version.h"

#include "comm/comm.h"
#include "io/h5.h"
#include "io/kafka_client.h"

void dn_version_print(FILE *out) {
    fprintf(out, "dunlin %s\nlibrdkafka %s\nHDF5 %s\nMPI %s\n", DUNLIN_VERSION, dn_kafka_version(),
            dn_h5_version(), dn_comm_version());
}
