#include "io/sha256.h"

#include <openssl/evp.h>
#include <stdio.h>

dn_status dn_sha256(dn_span bytes, char hex[DN_SHA256_HEX]) {
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int size = 0;
    if (!EVP_Digest(bytes.ptr, bytes.len, digest, &size, EVP_sha256(), NULL) || size != 32) {
        return DN_FAIL(SYSTEM, "libcrypto cannot make a SHA-256 digest");
    }
    for (unsigned int i = 0; i < size; i++) {
        snprintf(hex + 2 * i, 3, "%02x", digest[i]);
    }
    return DN_OK;
}
