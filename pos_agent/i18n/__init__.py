"""Every word that a person reads, in zh-CN and en; the back office's too. Pure data and look-up."""
