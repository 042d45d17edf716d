/* sendx-worker version: of itself and of the libraries it runs with. */
#include <jansson.h>
#include <stdio.h>

#include "cmd/cmd.h"
#include "config/source.h"
#include "edge/http.h"
#include "edge/kafka_version.h"
#include "rules/regex.h"

int
cmd_version(int argc, char **argv)
{
    char pcre2[64];

    if (argc > 1)
        return cmd_usage("version", "\"%s\" is one argument too many", argv[1]);
    printf("sendx-worker %s\n", VERSION);
    printf("  librdkafka %s\n", kafka_library_version());
    printf("  %s\n", http_library_version());
    printf("  jansson %s\n", jansson_version_str());
    printf("  libconfig %s\n", source_library_version());
    printf("  PCRE2 %s\n", regex_library_version(pcre2));
    return CMD_OK;
}
