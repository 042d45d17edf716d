/*
 * What of a partition is finished above its committed offset, as a text that is committed with the
 * offset, so that whoever reads the partition next does not send it again. Pure.
 *
 * The text is a version and base64url, without padding, of a checksum and of the distances between
 * the unfinished offsets, the last one leading to the highest finished one. In version 1 they are
 * LEB128 varints, which suits few offsets far apart. In version 2 they are Golomb's code, by bits
 * behind a byte that says which: where many events wait close together each takes a bit or two.
 * What is written is what says more. Where both would be too long, the highest finished offset is
 * taken lower, until it fits: never is an unfinished offset left out. A text that is damaged, or
 * that belongs to another group, topic, partition or committed offset, is none: what would be
 * skipped by it is sent again instead.
 */
#ifndef DELIVERY_PROGRESS_H
#define DELIVERY_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/macros.h"

enum {
    PROGRESS_TEXT_MAX = 4096,   /* Kafka's default for offset.metadata.max.bytes */
    PROGRESS_CHECKSUM_SIZE = 8, /* bytes */
    PROGRESS_BYTES_MAX = (PROGRESS_TEXT_MAX - 1) / 4 * 3 + 2,    /* behind the version, decoded */
    PROGRESS_ROOM = PROGRESS_BYTES_MAX - PROGRESS_CHECKSUM_SIZE, /* bytes for the distances */
    PROGRESS_OFFSETS_MAX = (PROGRESS_ROOM - 1) * 8               /* each takes a bit */
};

/* Offsets from the committed one up to HIGHEST are finished, or there are none, but for those in
 * UNFINISHED. Where HIGHEST is below the committed offset there is no progress. */
struct progress {
    int64_t highest;
    int64_t *unfinished; /* ascending, from the committed offset to below highest */
    size_t count;
};

/* What the checksum of one partition's texts starts from. */
uint64_t progress_binding(const char *group, const char *topic, int32_t partition);

/* Makes TEXT (with PROGRESS_TEXT_MAX for its cap, or more) that of PROGRESS, at most MAX bytes; ""
 * where there is none, or none that fits. Of more than PROGRESS_OFFSETS_MAX offsets the first ones
 * are enough. */
void progress_write(struct buf *text, size_t max, uint64_t binding, int64_t committed,
                    const struct progress *progress);

/* Reads what progress_write wrote; TEXT needs no NUL. False: there is no progress in it, and
 * nothing is written to RET; else its offsets are yours to xfree. */
bool progress_read(const char *text, size_t len, uint64_t binding, int64_t committed,
                   struct progress *ret) MUSTCHECK;

/* Bytes of version 1 that the distance between two offsets takes, DISTANCE >= 1. */
size_t progress_distance_size(int64_t distance);

/* Bytes of version 2 that are enough for COUNT distances that add up to SPAN. */
size_t progress_coded_size(size_t count, int64_t span);

#endif
