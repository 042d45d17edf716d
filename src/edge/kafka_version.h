/*
 * The version of librdkafka, for people. Owns nothing.
 */
#ifndef EDGE_KAFKA_VERSION_H
#define EDGE_KAFKA_VERSION_H

const char *kafka_library_version(void); /* at run time */

#endif
