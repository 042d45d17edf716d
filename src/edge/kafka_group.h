/*
 * What kafka_coming.c and kafka_going.c have in common: the lists that partitions are in, what the
 * library is told of them, and which membership they were assigned in. Owns nothing: the lists are
 * those of struct kafka. For these two files only.
 */
#ifndef EDGE_KAFKA_GROUP_H
#define EDGE_KAFKA_GROUP_H

#include "edge/kafka_state.h"

/* NULL: it is not in LIST. */
struct kafka_part *kafka_group_find_in(struct list *list, const char *topic, int32_t number);

void kafka_group_move(struct kafka_part *part, struct list *to);
void kafka_group_drop(struct kafka *kafka, struct kafka_part *part);
void kafka_group_drop_list(struct kafka *kafka, struct list *list);

/* Adds PART, with the offset where it is read from. */
void kafka_group_add(rd_kafka_topic_partition_list_t *partitions, const struct kafka_part *part);

/* Begins to read PARTITIONS. -1: the library refuses; see kafka_group_check. */
int kafka_group_tell_assign(struct kafka *kafka, const rd_kafka_topic_partition_list_t *partitions);

/* Gives back all of LIST, and with it answers a revocation. */
void kafka_group_tell_unassign(struct kafka *kafka, struct list *list);

/* The library's answer to WHAT, NULL being a yes. Else -1: it was logged, and a member ends its
 * membership. Consumes ERROR. */
int kafka_group_check(struct kafka *kafka, const char *what, rd_kafka_error_t *error);

/* For kafka_era. An assignment came; to be called before it is answered: until then there is no
 * other generation. The library gave up partitions, if need be without another generation. */
void kafka_group_note_era(struct kafka *kafka);
void kafka_group_note_loss(struct kafka *kafka);

/* Of kafka_coming.c: begins to read what is known of the asked for; answers an assignment before
 * anything of it is. */
void kafka_coming_go_on(struct kafka *kafka);
void kafka_coming_answer(struct kafka *kafka);

#endif
