#include "cmd/write_file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/xalloc.h"

/* MODE as fopen has it; OLD: whose rights it gets, if that is there. */
static int
write_whole(const char *path, const char *mode, const char *old, const struct buf *text,
            struct err *err)
{
    FILE *out = fopen(path, mode);
    struct stat info;
    int rc = 0;

    if (!out)
        return err_set(err, "%s: %s", path, strerror(errno));
    if ((old && stat(old, &info) == 0 && fchmod(fileno(out), info.st_mode & 07777)) ||
        fwrite(buf_text(text), 1, text->len, out) != text->len)
        rc = err_set(err, "%s: %s", path, strerror(errno));
    if (fclose(out) && !rc)
        rc = err_set(err, "%s: %s", path, strerror(errno));
    if (rc)
        unlink(path);
    return rc;
}

int
write_file(const char *path, const struct buf *text, bool replace, struct err *err)
{
    char *beside;
    int rc;

    if (!replace)
        return write_whole(path, "wxe", NULL, text, err);
    beside = xasprintf("%s.new", path);
    rc = write_whole(beside, "we", path, text, err);
    if (!rc && rename(beside, path)) {
        rc = err_set(err, "%s: %s", path, strerror(errno));
        unlink(beside);
    }
    xfree(beside);
    return rc;
}
