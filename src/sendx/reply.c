#include "sendx/reply.h"

const char *
reply_failure_name(enum reply_failure failure)
{
    switch (failure) {
    case REPLY_OK:
        return "ok";
    case REPLY_DNS:
        return "dns";
    case REPLY_CONNECT:
        return "connect";
    case REPLY_TLS:
        return "tls";
    case REPLY_TIMEOUT:
        return "timeout";
    case REPLY_RESET:
        return "reset";
    case REPLY_ABORTED:
        return "aborted";
    case REPLY_OTHER:
        break;
    }
    return "other";
}
