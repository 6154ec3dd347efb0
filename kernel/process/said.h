/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Many kernels tell whoever asks firmware about a device of no error but -EPROBE_DEFER, and say the
 * others by dev_dbg(). For the real files that do: the errno that was said last.
 */
static int said;
#undef dev_dbg
#define dev_dbg(dev, format, ...) (said = (int)(long)(0, ##__VA_ARGS__))

/* Of what such a function returns: ops, an error pointer, or NULL where it has said the errno. */
static inline int errno_of(const void *ops)
{
	return IS_ERR(ops) ? PTR_ERR(ops) : said;
}
